// Package resolvconf reads the nameservers of a resolv.conf(5).
//
// It takes more than resolv.conf(5) does: any number of nameservers instead of
// three, white space before the keyword, a comment after the address, and an
// address with a port or an IPv6 zone, in the forms that [ParseServer] lists.
// Keywords other than nameserver are ignored.
//
// The parsers at hand do not serve: that of the DNS library takes any word
// after nameserver for a server, and the helper of CoreDNS built on it strips
// IPv6 zones, without which a link-local server cannot be reached. Here a
// line that cannot be used is skipped, and a [Warning] says why.
package resolvconf

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

const (
	defaultPort = "53"
	maxLine     = 64 << 10 // bytes of a line before its "\n"
	maxZone     = 255      // bytes of a zone, far more than the 15 of a Linux interface name
	maxQuoted   = 64       // bytes of a word quoted in a warning or an error
	maxWarnings = 20       // warnings for a file, without the one that counts the rest

	byteOrderMark = "\uFEFF"

	// notInZone holds what separates the parts of an address, without the "#"
	// that is cut off before, and what bytes that are not UTF-8 decode to.
	notInZone = " %/:;[]\uFFFD"

	howToWrite = "write an address such as 192.0.2.1, 192.0.2.1:5353 or [2001:db8::1]:5353"
)

var errLongLine = errors.New("line too long")

// Warning is a line that was skipped, or not wholly used, and why.
type Warning struct {
	Line int    // counted from 1
	Text string // what is wrong and how to write it, in one line
}

// String returns the warning with its line number, as "line 3: ...".
func (w Warning) String() string { return fmt.Sprintf("line %d: %s", w.Line, w.Text) }

// Parse reads a resolv.conf(5) up to its end. It returns the nameservers in the
// order in which they first appear, without duplicates, and a warning for each
// line that it could not use or not wholly use; if those are many, the last one
// only counts the rest. A line of more than 64 KiB is such a line. The error is
// that of reading r, and then nothing else is returned.
func Parse(r io.Reader) (servers []netip.AddrPort, warnings []Warning, err error) {
	lines := bufio.NewReaderSize(r, maxLine+1) // a line and its "\n"
	seen := make(map[netip.AddrPort]bool)
	var found warningList
	for n := 1; ; n++ {
		line, err := readLine(lines)
		switch err {
		case nil:
		case errLongLine:
			found.add(n, fmt.Sprintf("the line is longer than %d bytes and was skipped; break it up", maxLine))
			continue
		case io.EOF:
			return servers, found.list(), nil
		default:
			return nil, nil, err
		}
		if n == 1 {
			line = strings.TrimPrefix(line, byteOrderMark)
		}
		server, warning := parseLine(line)
		if warning != "" {
			found.add(n, warning)
		}
		if server.IsValid() && !seen[server] {
			seen[server] = true
			servers = append(servers, server)
		}
	}
}

// readLine returns the next line without its end. A line that does not fit into
// the reader's buffer is read past, piece by piece, and is [errLongLine].
func readLine(r *bufio.Reader) (string, error) {
	b, err := r.ReadSlice('\n')
	long := err == bufio.ErrBufferFull
	for err == bufio.ErrBufferFull {
		_, err = r.ReadSlice('\n')
	}
	if err == io.EOF && (long || len(b) > 0) {
		err = nil // the last line has no "\n"
	}
	switch {
	case err != nil:
		return "", err
	case long:
		return "", errLongLine
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// parseLine returns the server that a line names, which is the zero value if
// there is none, and what is wrong with the line, if anything is.
func parseLine(line string) (server netip.AddrPort, warning string) {
	words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
	if len(words) == 0 || words[0] != "nameserver" {
		return server, ""
	}
	words = words[1:]
	if i := slices.IndexFunc(words, startsComment); i >= 0 {
		words = words[:i]
	}
	if len(words) == 0 {
		return server, `"nameserver" has no address after it; ` + howToWrite
	}
	server, err := ParseServer(words[0])
	switch {
	case err != nil:
		warning = err.Error()
	case len(words) > 1:
		warning = quote(words[1]) + " after the address is not used; write a nameserver line for each address, and # before a comment"
	}
	return server, warning
}

func startsComment(word string) bool { return word[0] == '#' || word[0] == ';' }

// ParseServer reads the address of one nameserver: an IP address, alone or in
// brackets, or with a port as [addr]:port, addr#port or, for IPv4, addr:port.
// The port is 53 if there is none. An IPv6 address may have a zone, as in
// fe80::1%eth0, and a link-local one must. An IPv4-mapped IPv6 address becomes
// the IPv4 address. Addresses that cannot be a server's are errors: the
// unspecified ones and multicast. The text of an error quotes s, cut if it is
// long, and says how to write it.
func ParseServer(s string) (netip.AddrPort, error) {
	host, service := splitPort(s)
	addr, err := parseAddr(host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%s %w", quote(s), err)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil || port == 0 {
		return netip.AddrPort{}, fmt.Errorf("%s has a bad port; write a number from 1 to 65535 as in 192.0.2.1:5353 or [2001:db8::1]:5353, and a blank before a comment", quote(s))
	}
	return netip.AddrPortFrom(addr, uint16(port)), nil
}

// splitPort cuts s into address and port. What has none of the forms that
// [ParseServer] takes is left whole, and so is not an address.
func splitPort(s string) (addr, port string) {
	if addr, port, ok := strings.Cut(s, "#"); ok {
		return addr, port
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if addr, port, ok := strings.Cut(inner, "]:"); ok {
			return addr, port
		}
		if addr, ok := strings.CutSuffix(inner, "]"); ok {
			return addr, defaultPort
		}
	}
	// An IPv6 address has two colons at least, so a single one is before a port.
	if addr, port, ok := strings.Cut(s, ":"); ok && !strings.Contains(port, ":") {
		return addr, port
	}
	return s, defaultPort
}

// parseAddr reads an address with an optional zone. The text of an error goes
// on from the word that is wrong.
func parseAddr(s string) (netip.Addr, error) {
	host, zone, zoned := strings.Cut(s, "%")
	addr, err := netip.ParseAddr(host)
	addr = addr.Unmap()
	switch {
	case err != nil:
		return addr, errors.New("is not an IP address; " + howToWrite)
	case zoned && addr.Is4():
		return addr, fmt.Errorf("has a zone, which IPv4 does not know; write %s", addr)
	case zoned && !validZone(zone):
		return addr, errors.New("has a bad zone; write the name or number of an interface, as in fe80::1%eth0 or [fe80::1%eth0]:5353")
	case addr.IsUnspecified():
		return addr, errors.New("is the unspecified address; for this host write 127.0.0.1 or ::1")
	case addr.IsMulticast():
		return addr, errors.New("is a multicast address; write the address of one server")
	case addr.Is6() && addr.IsLinkLocalUnicast() && !zoned:
		return addr, fmt.Errorf("is link-local and has no zone; write the interface after it, as in %s%%eth0", addr)
	}
	return addr.WithZone(zone), nil
}

func validZone(zone string) bool {
	return zone != "" && len(zone) <= maxZone && !strings.ContainsFunc(zone, func(r rune) bool {
		return !unicode.IsPrint(r) || strings.ContainsRune(notInZone, r)
	})
}

// quote quotes a word for a log line: escaped, and cut if it is long.
func quote(word string) string {
	if len(word) <= maxQuoted {
		return strconv.Quote(word)
	}
	return strconv.Quote(word[:maxQuoted]) + "..."
}

// warningList keeps the first warnings and counts the rest, so that a file of
// junk does not flood a log.
type warningList struct {
	kept []Warning
	more int // not kept
	line int // of the first one not kept
}

func (l *warningList) add(line int, text string) {
	if len(l.kept) < maxWarnings {
		l.kept = append(l.kept, Warning{line, text})
		return
	}
	if l.more == 0 {
		l.line = line
	}
	l.more++
}

func (l *warningList) list() []Warning {
	if l.more == 0 {
		return l.kept
	}
	return append(l.kept, Warning{l.line, fmt.Sprintf("... and %d more from this line on", l.more)})
}

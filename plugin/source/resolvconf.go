package source

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

	"github.com/dnsmus/dnsmus/plugin/server"
)

const (
	maxLine     = 64 << 10 // bytes of a line before its "\n"
	maxWarnings = 20       // warnings for a file, without the one that counts the rest
)

var errLongLine = errors.New("line too long")

// Warning is a line that was skipped, or of which a part was, and why.
type Warning struct {
	Line int    // counted from 1
	Text string // what is wrong and how to write it, in one line
}

// String returns the warning with its line number, as "line 3: ...".
func (w Warning) String() string { return fmt.Sprintf("line %d: %s", w.Line, w.Text) }

// Parse reads a resolv.conf(5) up to its end. It takes more than resolv.conf(5) does: any
// number of nameservers instead of three, white space of any kind, also before the
// keyword, which may be in capitals, a comment after the address, and a server in any form
// that [server.Parse] lists. A line such as "port 5300" gives the port of all servers in
// plain DNS that are written without one, wherever it stands, as in resolver(5) of macOS.
// Other keywords are ignored.
//
// The parsers that exist are of no help: that of the DNS library takes any word after
// nameserver for a server, and the helper of CoreDNS built on it strips IPv6 zones, without
// which a link-local server cannot be reached.
//
// Parse returns the nameservers in the order in which they first appear, without
// duplicates, and a warning for each line that it cannot use, or only in part: a bad
// nameserver or port, one without the keyword, or a line of more than 64 KiB. If the warnings are
// many, the last one only counts the rest. The error is that of reading r, and then
// nothing else is returned.
func Parse(r io.Reader) (servers []server.Server, warnings []Warning, err error) {
	lines := bufio.NewReaderSize(r, maxLine+1) // a line and its "\n"
	var named []line
	port, given := server.DNS.Port(), false
	var found warningList
	for n := 1; ; n++ {
		text, err := readLine(lines)
		switch err {
		case nil:
		case errLongLine:
			found.add(n, fmt.Sprintf("the line is longer than %d bytes and was skipped; break it up", maxLine))
			continue
		case io.EOF:
			return serversOf(named, port), found.list(), nil
		default:
			return nil, nil, err
		}
		l, warning := parseLine(text)
		if warning != "" {
			found.add(n, warning)
		}
		if l.port != 0 && given && l.port != port {
			found.add(n, fmt.Sprintf("port %d is that of all servers in the file, instead of %d; write ports that differ after the address, as in 'nameserver 192.0.2.1:%[1]d'", l.port, port))
		}
		if l.port != 0 {
			port, given = l.port, true
		}
		if l.server.IsValid() {
			named = append(named, l)
		}
	}
}

// line is what a line says.
type line struct {
	server server.Server // the zero value: none
	bare   bool          // the server is written without its port
	port   uint16        // of servers that are; 0: none is given
}

// serversOf returns the servers that lines name, each once. Those that are written without
// their port have this one.
func serversOf(lines []line, port uint16) (servers []server.Server) {
	seen := make(map[server.ID]bool)
	for _, l := range lines {
		s := l.server
		if l.bare && s.Transport == server.DNS {
			s.Addr = netip.AddrPortFrom(s.Addr.Addr(), port)
		}
		if !seen[s.ID] {
			seen[s.ID] = true
			servers = append(servers, s)
		}
	}
	return servers
}

// readLine returns the next line without its end. A line that does not fit into
// the reader's buffer is skipped, piece by piece, and [errLongLine] is returned.
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

// parseLine returns what a line says, and what is wrong with it, if anything is.
func parseLine(text string) (l line, warning string) {
	words := strings.FieldsFunc(text, isBlank)
	if len(words) == 0 || startsComment(words[0]) {
		return l, ""
	}
	isServer := strings.EqualFold(words[0], "nameserver")
	if i := slices.IndexFunc(words, startsComment); i >= 0 {
		words = words[:i]
	}
	switch {
	case isPort(words[0]):
		return parsePort(words)
	case !isServer:
		return l, almostServer(words)
	case len(words) == 1:
		return l, `"nameserver" has no address after it; ` + server.HowToWrite
	}
	s, err := server.Parse(words[1])
	l = line{server: s, bare: !server.HasPort(words[1])}
	switch {
	case err != nil:
		warning = err.Error()
	case len(words) > 2:
		warning = server.Quote(words[2]) + " after the address is ignored; write each address on a nameserver line of its own, and # before a comment"
	}
	return l, warning
}

// isPort reports whether a word is the keyword port, or meant as one, as in what scutil
// prints.
func isPort(word string) bool {
	before, _, _ := strings.Cut(strings.ReplaceAll(word, "=", ":"), ":")
	return strings.EqualFold(before, "port")
}

// parsePort reads a line with the port of servers.
func parsePort(words []string) (l line, warning string) {
	if len(words) == 2 && strings.EqualFold(words[0], "port") {
		if n, err := strconv.ParseUint(words[1], 10, 16); err == nil && n != 0 {
			return line{port: uint16(n)}, ""
		}
	}
	return l, server.Quote(strings.Join(words, " ")) + " is not a port; write a line as in 'port 5300', or the port after the address, as in 'nameserver 192.0.2.1:5300'"
}

// isBlank reports whether r separates words: it is white space or, as a byte order mark,
// invisible.
func isBlank(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }

// keywords are the others that resolv.conf(5) has on Linux, the BSDs or macOS.
var keywords = []string{"domain", "search", "search_order", "options", "sortlist", "lookup", "family", "timeout"}

// almostServer returns a warning if a line without the keyword nameserver seems to be meant
// as one that has it.
func almostServer(words []string) string {
	keyword := strings.ToLower(strings.ReplaceAll(words[0], "\x00", ""))
	if slices.Contains(keywords, keyword) {
		return ""
	}
	const remedy = "; write a line as in 'nameserver 192.0.2.1', or # before a comment"
	if strings.Contains(keyword, "nameserver") || distance(keyword, "nameserver") <= 2 {
		return server.Quote(words[0]) + " is not the keyword nameserver" + remedy
	}
	for _, word := range words {
		for _, part := range strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune("=,;\"'", r) }) {
			_, after, _ := strings.Cut(part, ":")
			for _, s := range []string{part, after} {
				if _, err := netip.ParseAddr(s); err == nil {
					return server.Quote(s) + " has no keyword nameserver before it" + remedy
				}
			}
		}
	}
	return ""
}

// distance returns how many bytes have to be inserted, removed or replaced to turn a into b
// (Levenshtein).
func distance(a, b string) int {
	if len(a) > 2*len(b) {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func startsComment(word string) bool { return word[0] == '#' || word[0] == ';' }

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

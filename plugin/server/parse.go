package server

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

const (
	maxLink   = 255 // bytes of a link, far more than the 15 of a Linux interface name
	maxName   = 255 // bytes of a domain name (RFC 1035, section 2.3.4)
	maxPath   = 255 // bytes of a path on an HTTPS server, far more than any has
	maxQuoted = 64  // bytes of a word quoted in an error

	defaultPath = "/dns-query"

	// notInLink holds what separates the parts of an address, without the "#"
	// that is cut off before, and what bytes that are not UTF-8 decode to.
	notInLink = " %/:;[]\uFFFD"
)

// HowToWrite tells a user, after what is wrong, how to write a server.
const HowToWrite = "write an address such as 192.0.2.1, 192.0.2.1:5353 or [2001:db8::1]:5353"

var errNotAddr = errors.New("is not an IP address; " + HowToWrite)

// Parse reads one server: an IP address, alone or in brackets, or with a port as
// [addr]:port, addr#port or, for IPv4, addr:port. The port is 53 if there is none.
// The link that leads to it may follow the address, as in 10.8.0.1%tun0 or
// [10.8.0.1%tun0]:5353, and after a link-local IPv6 one it must (RFC 4007, section 11.2).
// An IPv4-mapped IPv6 address becomes the IPv4 address. Addresses that cannot be a
// server's are errors: the unspecified ones and multicast.
//
// With tls://, https:// or quic:// before it the server is spoken to over that
// transport, at port 853, 443 or 853 if there is none. The name in its
// certificate may follow the address, before the port, as in
// tls://192.0.2.1%dns.example:853; a link is then within brackets. In
// place of both there may be the name alone, as in tls://dns.example: it is that of the
// host, in small letters and without a dot at its end, whose address is to be looked up.
// A path may follow https:// and what is after it; the template of GET, {?dns}, is taken
// off it (RFC 8484, section 4.1).
//
// The text of an error quotes s, cut if it is long, and says how to write it.
func Parse(s string) (Server, error) {
	transport, rest, err := cutTransport(s)
	if err != nil {
		return Server{}, err
	}
	var w words
	path := ""
	switch {
	case transport == DNS:
		w = splitPort(rest)
	case transport == HTTPS:
		rest, path = cutPath(rest)
		w = splitName(rest)
	default:
		w = splitName(rest)
	}
	addr, link, err := parseAddr(w.addr)
	if host := strings.ToLower(strings.TrimSuffix(w.addr, ".")); err != nil && transport.Encrypted() && !w.hasName && !strings.Contains(rest, "/") && validHost(host) {
		addr, w.name, err = netip.Addr{}, host, nil
	}
	switch {
	case err != nil && transport.Encrypted() && errors.Is(err, errNotAddr):
		return Server{}, fmt.Errorf("%s is not an IP address or a host name; write an address and the name in the certificate, as in %s://192.0.2.1%%dns.example", Quote(s), transport)
	case err != nil:
		return Server{}, fmt.Errorf("%s %w", Quote(s), err)
	}
	if !validPath(path) {
		return Server{}, fmt.Errorf("%s has a bad path; write it as in https://192.0.2.1%%dns.example/path, with the name before it", Quote(s))
	}
	if path == defaultPath {
		path = ""
	}
	if w.hasName && !validName(w.name) {
		return Server{}, fmt.Errorf("%s has a bad name after the %%; write the one in the server's certificate, as in %s://192.0.2.1%%dns.example", Quote(s), transport)
	}
	port := transports[transport].port
	if w.hasPort {
		n, err := strconv.ParseUint(w.port, 10, 16)
		if err != nil && strings.Contains(w.port, ".") && validHost(w.port) {
			return Server{}, fmt.Errorf("%s has a bad port; for TLS write the name before the port, as in tls://%s%%%s", Quote(s), addr, w.port)
		}
		if err != nil || n == 0 {
			return Server{}, fmt.Errorf("%s has a bad port; write a number from 1 to 65535 as in 192.0.2.1:5353 or [2001:db8::1]:5353, and a space before a comment", Quote(s))
		}
		port = uint16(n)
	}
	return Server{ID: ID{Transport: transport, Addr: netip.AddrPortFrom(addr, port), Link: link, Name: w.name, Path: path}}, nil
}

// cutPath cuts off the path of a URL, as far as it is sent to a server.
func cutPath(s string) (authority, path string) {
	i := strings.IndexAny(s, "/?")
	if i < 0 {
		return s, ""
	}
	path = strings.TrimSuffix(s[i:], "{?dns}")
	if path != "" && path[0] == '?' {
		path = "/" + path
	}
	return s[:i], path
}

func validPath(s string) bool {
	_, err := url.ParseRequestURI("/" + s)
	return err == nil && len(s) <= maxPath && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("#\"<>\\^`{|}", r)
	})
}

// validHost reports whether s is a name that may have addresses. One that ends in a
// number is an address that went wrong.
func validHost(s string) bool {
	labels := strings.Split(s, ".")
	last := labels[len(labels)-1]
	return validName(s) && !slices.Contains(labels, "") && strings.Trim(last, "0123456789") != ""
}

// Quote quotes a user's word for an error or a log line: escaped, and cut if it is
// long.
func Quote(word string) string {
	if len(word) <= maxQuoted {
		return strconv.Quote(word)
	}
	return strconv.Quote(word[:maxQuoted]) + "..."
}

func cutTransport(s string) (t Transport, rest string, err error) {
	name, rest, found := strings.Cut(s, "://")
	if !found {
		return DNS, s, nil
	}
	t, ok := ParseTransport(name)
	if !ok {
		return 0, "", fmt.Errorf("%s has an unknown transport; write %s before ://, or the address alone", Quote(s), transportNames())
	}
	return t, rest, nil
}

// words are the parts of a server without its transport, as they are written. A
// name or a port may be announced by its separator and be empty all the same.
type words struct {
	addr             string // with its link
	name, port       string
	hasName, hasPort bool
}

// splitName splits what follows the "://" of an encrypted transport.
func splitName(s string) words {
	addr, after, hasName := strings.Cut(s, "%")
	if inner, ok := strings.CutPrefix(s, "["); ok {
		addr, after, hasName = strings.Cut(inner, "]%") // another "%" is before a link
	}
	if !hasName {
		return splitPort(s)
	}
	name, port, hasPort := strings.Cut(after, ":")
	return words{addr: addr, name: name, hasName: true, port: port, hasPort: hasPort}
}

// splitPort splits an address from its port. What has none of the forms that
// [Parse] takes is left whole, and so is not an address.
func splitPort(s string) words {
	if addr, port, ok := strings.Cut(s, "#"); ok {
		return words{addr: addr, port: port, hasPort: true}
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if addr, port, ok := strings.Cut(inner, "]:"); ok {
			return words{addr: addr, port: port, hasPort: true}
		}
		if addr, ok := strings.CutSuffix(inner, "]"); ok {
			return words{addr: addr}
		}
	}
	// An IPv6 address has two colons at least, so a single one is before a port.
	if addr, port, ok := strings.Cut(s, ":"); ok && !strings.Contains(port, ":") {
		return words{addr: addr, port: port, hasPort: true}
	}
	return words{addr: s}
}

// parseAddr reads an address with an optional link. The text of an error goes
// on from the word that is wrong.
func parseAddr(s string) (addr netip.Addr, link string, err error) {
	host, link, linked := strings.Cut(s, "%")
	addr, err = netip.ParseAddr(host)
	addr = addr.Unmap()
	switch {
	case err != nil:
		return addr, "", errNotAddr
	case linked && !validLink(link):
		return addr, "", fmt.Errorf("has a bad interface; write its name or number, as in %[1]s%%eth0 or [%[1]s%%eth0]:5353", addr)
	case addr.IsUnspecified():
		return addr, "", errors.New("is the unspecified address; for this host write 127.0.0.1 or ::1")
	case addr.IsMulticast():
		return addr, "", errors.New("is a multicast address; write the address of one server")
	case addr.Is6() && addr.IsLinkLocalUnicast() && !linked:
		return addr, "", fmt.Errorf("is link-local and needs an interface after it, as in %s%%eth0", addr)
	}
	return addr, link, nil
}

func validLink(link string) bool {
	return link != "" && len(link) <= maxLink && !strings.ContainsFunc(link, func(r rune) bool {
		return !unicode.IsPrint(r) || strings.ContainsRune(notInLink, r)
	})
}

func validName(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r == '.' || r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	})
}

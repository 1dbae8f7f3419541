package resolvconf

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
)

// Server is a resolver and how to speak with it.
type Server struct {
	Transport Transport
	Addr      netip.AddrPort
	Name      string // that its certificate must be valid for; empty: its address
}

// Transport is how messages get to a resolver.
type Transport string

const (
	DNS   Transport = "dns" // over UDP and TCP
	TLS   Transport = "tls"
	HTTPS Transport = "https"
	QUIC  Transport = "quic"
)

var defaultPorts = map[Transport]string{DNS: "53", TLS: "853", HTTPS: "443", QUIC: "853"}

// Plain is a server that is spoken to in plain DNS.
func Plain(addr netip.AddrPort) Server { return Server{Transport: DNS, Addr: addr} }

// String writes the server as [ParseServer] reads it: address and port and, if it
// is not plain DNS, the transport before and the name between these.
func (s Server) String() string {
	if s.Transport == DNS {
		return s.Addr.String()
	}
	host, name := s.Addr.Addr().String(), ""
	if s.Addr.Addr().Is6() {
		host = "[" + host + "]"
	}
	if s.Name != "" {
		name = "%" + s.Name
	}
	return fmt.Sprintf("%s://%s%s:%d", s.Transport, host, name, s.Addr.Port())
}

// ParseServer reads one nameserver: an IP address, alone or in brackets, or with a
// port as [addr]:port, addr#port or, for IPv4, addr:port. The port is 53 if there
// is none. An IPv6 address may have a zone, as in fe80::1%eth0, and a link-local
// one must. An IPv4-mapped IPv6 address becomes the IPv4 address. Addresses that
// cannot be a server's are errors: the unspecified ones and multicast.
//
// With tls://, https:// or quic:// before it the server is spoken to over that
// transport, at port 853, 443 or 853 if there is none. The name in its
// certificate may follow the address, before the port, as in
// tls://192.0.2.1%dns.example:853; an IPv6 zone is then within the brackets.
//
// The text of an error quotes s, cut if it is long, and says how to write it.
func ParseServer(s string) (Server, error) {
	transport, rest, found := strings.Cut(s, "://")
	if !found {
		transport, rest = string(DNS), s
	}
	server := Server{Transport: Transport(transport)}
	defaultPort, known := defaultPorts[server.Transport]
	if !known {
		return Server{}, fmt.Errorf("%s has a transport that is not spoken to upstreams; write dns, tls, https or quic before ://, or nothing", quote(s))
	}
	var host, service string
	if server.Transport == DNS {
		host, service = splitPort(rest)
	} else {
		host, server.Name, service = splitName(strings.TrimSuffix(rest, "/dns-query"))
	}
	if service == "" {
		service = defaultPort
	}
	addr, err := parseAddr(host)
	if err != nil {
		return Server{}, fmt.Errorf("%s %w", quote(s), err)
	}
	if !validName(server.Name) {
		return Server{}, fmt.Errorf("%s has a bad name after the %%; write the one in the server's certificate, as in %s://192.0.2.1%%dns.example", quote(s), transport)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil || port == 0 {
		return Server{}, fmt.Errorf("%s has a bad port; write a number from 1 to 65535 as in 192.0.2.1:5353 or [2001:db8::1]:5353, and a blank before a comment", quote(s))
	}
	server.Addr = netip.AddrPortFrom(addr, uint16(port))
	return server, nil
}

// splitName cuts what follows a transport into address, name and port; the latter
// two may be empty.
func splitName(s string) (addr, name, port string) {
	before, after, named := strings.Cut(s, "%")
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if inner, outer, ok := strings.Cut(inner, "]%"); ok {
			before, after, named = inner, outer, true
		} else {
			named = false // a zone
		}
	}
	if !named {
		addr, port = splitPort(s)
		return addr, "", port
	}
	name, port, found := strings.Cut(after, ":")
	if found {
		port = orBad(port)
	}
	return before, orBad(name), port
}

// orBad returns a word that was announced, and for an empty one a bad one.
func orBad(s string) string {
	if s == "" {
		return "?"
	}
	return s
}

func validName(s string) bool {
	return len(s) <= maxZone && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r == '.' || r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	})
}

// splitPort cuts s into address and port, which may be empty. What has none of the forms that
// [ParseServer] takes is left whole, and so is not an address.
func splitPort(s string) (addr, port string) {
	if addr, port, ok := strings.Cut(s, "#"); ok {
		return addr, orBad(port)
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if addr, port, ok := strings.Cut(inner, "]:"); ok {
			return addr, orBad(port)
		}
		if addr, ok := strings.CutSuffix(inner, "]"); ok {
			return addr, ""
		}
	}
	// An IPv6 address has two colons at least, so a single one is before a port.
	if addr, port, ok := strings.Cut(s, ":"); ok && !strings.Contains(port, ":") {
		return addr, orBad(port)
	}
	return s, ""
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

package server

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

const defaultPath = "/dns-query"

// HowToWrite tells a user, after what is wrong, how to write a server.
const HowToWrite = "write an address such as 192.0.2.1, 192.0.2.1:5353 or [2001:db8::1]:5353"

var errNotAddr = errors.New("is not an IP address; " + HowToWrite)

// Parse reads one server: an IP address, alone or in brackets, or with a port as
// [addr]:port, addr#port or, for IPv4, addr:port. The port is 53 if there is none.
// The interface that leads to it may follow the address, as in 10.8.0.1%tun0 or
// [10.8.0.1%tun0]:5353, and after a link-local IPv6 one it must (RFC 4007, section 11.2).
// An IPv4-mapped IPv6 address becomes the IPv4 address. Addresses that cannot be a
// server's are errors: the unspecified ones and multicast.
//
// With tls://, https:// or quic:// before it the server is asked over that
// transport, at port 853, 443 or 853 if there is none. The name in its
// certificate may follow the address, before the port, as in
// tls://192.0.2.1%dns.example:853; an interface is then within brackets. In
// place of both there may be the name alone, as in tls://dns.example, in small letters
// and without a dot at its end in what is returned; see [ID.NeedsBootstrap].
// A path may follow https:// and what is after it; the template of GET, {?dns}, is taken
// off it (RFC 8484, section 4.1).
//
// The text of an error quotes s, cut if it is long, and says how to write it.
func Parse(s string) (Server, error) {
	id, err := parse(s)
	if err != nil {
		return Server{}, fmt.Errorf("%s %w", Quote(s), err)
	}
	return Server{ID: id}, nil
}

// HasPort reports whether a server that [Parse] reads is written with its port.
func HasPort(s string) bool {
	t, rest, err := cutTransport(s)
	return err == nil && split(t, rest).hasPort
}

// parse is like Parse. The text of an error goes on from s.
func parse(s string) (id ID, err error) {
	if id.Transport, s, err = cutTransport(s); err != nil {
		return id, err
	}
	p := split(id.Transport, s)
	var addr netip.Addr
	switch host, isHost := p.host(); {
	case isHost && id.Transport.Encrypted():
		id.Name = host
	default:
		addr, id.Link, err = parseAddr(p.addr)
		if err == errNotAddr && id.Transport.Encrypted() {
			err = fmt.Errorf("is not an IP address or a host name; write an address and the name in the certificate, as in %s://192.0.2.1%%dns.example", id.Transport)
		}
	}
	if err != nil {
		return id, err
	}
	if id.Path, err = parsePath(p.path); err != nil {
		return id, err
	}
	if p.hasName {
		if id.Name = p.name; !validName(p.name) {
			return id, fmt.Errorf("has a bad name after the %%; write the one in the server's certificate, as in %s://192.0.2.1%%dns.example", id.Transport)
		}
	}
	port := id.Transport.Port()
	if p.hasPort {
		if port, err = parsePort(p.port, addr); err != nil {
			return id, err
		}
	}
	id.Addr = netip.AddrPortFrom(addr, port)
	return id, nil
}

// cutTransport cuts off what says how the server is asked.
func cutTransport(s string) (t Transport, rest string, err error) {
	name, rest, found := strings.Cut(s, "://")
	if !found {
		return DNS, s, nil
	}
	t, ok := ParseTransport(name)
	if !ok {
		return 0, "", fmt.Errorf("has an unknown transport; write %s before ://, or the address alone", transportNames())
	}
	return t, rest, nil
}

// parseAddr reads an address with an optional link.
func parseAddr(s string) (addr netip.Addr, link string, err error) {
	before, link, linked := strings.Cut(s, "%")
	addr, err = netip.ParseAddr(before)
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

// parsePath reads the path on an HTTPS server.
func parsePath(s string) (path string, err error) {
	switch {
	case strings.HasPrefix(s, hashed):
		return "", errors.New("has the hash of a path, as it is shown; write the path itself")
	case !validPath(s):
		return "", errors.New("has a bad path; write it as in https://192.0.2.1%dns.example/path, with the name before it")
	case s == defaultPath:
		return "", nil
	}
	return s, nil
}

// parsePort reads the port of the server at addr.
func parsePort(s string, addr netip.Addr) (port uint16, err error) {
	n, err := strconv.ParseUint(s, 10, 16)
	switch {
	case err != nil && strings.Contains(s, ".") && validHost(s): // as in files of systemd-resolved
		return 0, fmt.Errorf("has a bad port; for TLS write the name before the port, as in tls://%s%%%s", addr, s)
	case err != nil && strings.Contains(s, "%"):
		return 0, fmt.Errorf("has its port in the wrong place; write it last, as in [%s%s]:53", addr, s[strings.IndexByte(s, '%'):])
	case err != nil || n == 0:
		return 0, errors.New("has a bad port; write a number from 1 to 65535 as in 192.0.2.1:5353 or [2001:db8::1]:5353, and a space before a comment")
	}
	return uint16(n), nil
}

package server

import "strings"

// parts are those of a server without its transport, as they are written. A name or a
// port may be announced by its separator and be empty all the same.
type parts struct {
	addr             string // with its link
	name, port, path string
	hasName, hasPort bool
}

// split splits what follows the transport.
func split(t Transport, s string) (p parts) {
	path := ""
	if t == HTTPS {
		s, path = cutPath(s)
	}
	if t == DNS {
		p = splitPort(s)
	} else {
		p = splitName(s)
	}
	p.path = path
	return p
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

// splitName splits an address from the name in the certificate and from its port.
func splitName(s string) parts {
	addr, after, hasName := strings.Cut(s, "%")
	if inner, ok := strings.CutPrefix(s, "["); ok {
		addr, after, hasName = strings.Cut(inner, "]%") // another "%" is before a link
	}
	if !hasName {
		return splitPort(s)
	}
	name, port, hasPort := strings.Cut(after, ":")
	return parts{addr: addr, name: name, hasName: true, port: port, hasPort: hasPort}
}

// splitPort splits an address from its port. What has none of the forms that
// [Parse] takes is left whole, and so is not an address.
func splitPort(s string) parts {
	if addr, port, ok := strings.Cut(s, "#"); ok {
		return parts{addr: addr, port: port, hasPort: true}
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if addr, port, ok := strings.Cut(inner, "]:"); ok {
			return parts{addr: addr, port: port, hasPort: true}
		}
		if addr, ok := strings.CutSuffix(inner, "]"); ok {
			return parts{addr: addr}
		}
	}
	// An IPv6 address has two colons at least, so a single one is before a port.
	if addr, port, ok := strings.Cut(s, ":"); ok && !strings.Contains(port, ":") {
		return parts{addr: addr, port: port, hasPort: true}
	}
	return parts{addr: s}
}

// host returns the name of the host, as it is compared, if that stands in place of an
// address.
func (p parts) host() (name string, ok bool) {
	name = strings.ToLower(strings.TrimSuffix(p.addr, "."))
	return name, !p.hasName && !strings.Contains(p.port, "/") && validHost(name)
}

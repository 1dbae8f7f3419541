package control

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// parseName reads a name in presentation form, with a dot at its end or without. It is nil if the
// text is empty.
func parseName(text string) (wire []byte, err error) {
	if text == "" {
		return nil, nil
	}
	buf := make([]byte, 255)
	if _, ok := dns.IsDomainName(text); ok {
		var n int
		if n, err = dns.PackDomainName(strings.ToLower(dns.Fqdn(text)), buf, 0, nil, false); err == nil {
			return buf[:n], nil
		}
	}
	return nil, fmt.Errorf("%q is not a domain name", text)
}

// parseType reads a type by its name or as TYPE and a number (RFC 3597, section 5). Empty is 0.
func parseType(text string) (uint16, error) {
	upper := strings.ToUpper(text)
	if t, ok := dns.StringToType[upper]; ok {
		return t, nil
	}
	if digits, generic := strings.CutPrefix(upper, "TYPE"); generic {
		if n, err := strconv.ParseUint(digits, 10, 16); err == nil && n > 0 {
			return uint16(n), nil
		}
	}
	if text == "" {
		return 0, nil
	}
	return 0, fmt.Errorf("%q is not a record type; write one such as AAAA, MX or TYPE65", text)
}

func parseQuestion(name, qtype string) (wire []byte, t uint16, err error) {
	if wire, err = parseName(name); err != nil {
		return nil, 0, err
	}
	t, err = parseType(qtype)
	return wire, t, err
}

package question

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// Type reads a type by its name or as TYPE and a number (RFC 3597, section
// 5).
func Type(s string) (uint16, error) {
	upper := strings.ToUpper(s)
	qtype, ok := dns.StringToType[upper]
	if digits, generic := strings.CutPrefix(upper, "TYPE"); !ok && generic {
		n, err := strconv.ParseUint(digits, 10, 16)
		qtype, ok = uint16(n), err == nil
	}
	switch {
	case !ok || qtype == dns.TypeNone:
		return 0, fmt.Errorf("%q is not a record type; write one such as AAAA, MX or TYPE65", s)
	case qtype == dns.TypeOPT || qtype >= dns.TypeTKEY && qtype <= dns.TypeAXFR:
		return 0, fmt.Errorf("%s is not a type that resolvers can be asked for", upper)
	}
	return qtype, nil
}

package printable

import (
	"strconv"

	"github.com/miekg/dns"
)

// Rcode is the name of an rcode, or, if it has none, RCODE and its number.
func Rcode(rcode int) string {
	if name, ok := dns.RcodeToString[rcode]; ok {
		return name
	}
	return "RCODE" + strconv.Itoa(rcode)
}

package explain

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
)

// R14: for names that the server answers itself no upstream is asked here either.
func TestR14NobodyIsAsked(t *testing.T) {
	var asked atomic.Int32
	server := resolver(t, func(string, *dns.Msg) bool { asked.Add(1); return true }).String()
	for _, tc := range []struct {
		args   string
		status int
		asked  bool
	}{
		{"x.onion", exitNXDomain, false},
		{"x.onion --json", exitNXDomain, false},
		{"use-application-dns.net AAAA", exitNXDomain, false},
		{"_dns.resolver.arpa SVCB", exitNoData, false},
		{"x.onion --forward-special", exitNoData, true},
		{"onion.example", exitNoData, true},
	} {
		asked.Store(0)
		status, out, problems := explains(t, append(strings.Fields(tc.args), "@"+server)...)
		if status != tc.status || (asked.Load() > 0) != tc.asked {
			t.Errorf("%s: status %d, asked %d times\n%s%s", tc.args, status, asked.Load(), out, problems)
		}
	}
}

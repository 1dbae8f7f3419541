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
		{"x.onion", 2, false},
		{"x.onion --json", 2, false},
		{"use-application-dns.net AAAA", 2, false},
		{"_dns.resolver.arpa SVCB", 1, false},
		{"x.onion --forward-special", 1, true},
		{"onion.example", 1, true},
	} {
		asked.Store(0)
		status, out, problems := explains(t, append(strings.Fields(tc.args), "@"+server)...)
		if status != tc.status || (asked.Load() > 0) != tc.asked {
			t.Errorf("%s: status %d, asked %d times\n%s%s", tc.args, status, asked.Load(), out, problems)
		}
	}
}

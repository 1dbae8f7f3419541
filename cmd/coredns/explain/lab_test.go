package explain

import (
	"bytes"
	"context"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testkit.Tidy(m)) }

// behaviour is how a resolver replies over a network, "udp" or "tcp": it edits m,
// and returns false to stay silent.
type behaviour func(network string, m *dns.Msg) bool

// resolver runs a resolver of that behaviour.
func resolver(t *testing.T, behave behaviour) netip.AddrPort {
	t.Helper()
	return testkit.Resolver(t, func(network string, raw []byte, send func([]byte)) {
		q := new(dns.Msg)
		if err := q.Unpack(raw); err != nil {
			t.Errorf("junk: %v", err)
			return
		}
		m := new(dns.Msg)
		m.SetReply(q)
		m.RecursionAvailable = true
		if !behave(network, m) {
			return
		}
		b, err := m.Pack()
		if err != nil {
			t.Error(err)
		}
		send(b)
	})
}

func rr(s string) dns.RR {
	r, err := dns.NewRR(s)
	if err != nil {
		panic(err)
	}
	return r
}

func soa(m *dns.Msg) {
	m.Ns = []dns.RR{rr("example. 60 IN SOA ns.example. hostmaster.example. 1 2 3 4 30")}
}

// Replies of resolvers.

func knows(records ...string) behaviour {
	return func(_ string, m *dns.Msg) bool {
		for _, r := range records {
			m.Answer = append(m.Answer, rr(r))
		}
		return true
	}
}

func nodata(_ string, m *dns.Msg) bool { soa(m); return true }

func nxdomain(_ string, m *dns.Msg) bool { m.Rcode = dns.RcodeNameError; soa(m); return true }

// gone is a name that leads to one which does not exist.
func gone(network string, m *dns.Msg) bool {
	if m.Question[0].Name == "host.example." {
		m.Answer = []dns.RR{rr("host.example. 60 IN CNAME gone.example.")}
	}
	return nxdomain(network, m)
}

func code(rcode int) behaviour {
	return func(_ string, m *dns.Msg) bool { m.Rcode = rcode; return true }
}

// idle neither knows the name nor looks for it.
func idle(_ string, m *dns.Msg) bool { m.RecursionAvailable = false; return true }

// refers knows others that may.
func refers(network string, m *dns.Msg) bool {
	m.Ns = []dns.RR{rr("example. 60 IN NS ns.example.")}
	return idle(network, m)
}

func silent(string, *dns.Msg) bool { return false }

// command runs the command on what is no terminal.
func command(t *testing.T, args ...string) (status int, out, problems string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = run(context.Background(), "dnsmus explain", args, screen{Writer: &stdout}, &stderr)
	return status, stdout.String(), stderr.String()
}

package testkit

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"
)

// Behaviour is how a resolver replies over a network, "udp" or "tcp": it edits m,
// and returns false to stay silent.
type Behaviour func(network string, m *dns.Msg) bool

// Behaving runs a resolver of that behaviour.
func Behaving(t testing.TB, behave Behaviour) netip.AddrPort {
	t.Helper()
	return Resolver(t, func(network string, raw []byte, send func([]byte)) {
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

// RR is a record, as in a zone file.
func RR(s string) dns.RR {
	r, err := dns.NewRR(s)
	if err != nil {
		panic(err)
	}
	return r
}

func soa(m *dns.Msg) {
	m.Ns = []dns.RR{RR("example. 60 IN SOA ns.example. hostmaster.example. 1 2 3 4 30")}
}

// Knows has the records for answers.
func Knows(records ...string) Behaviour {
	return func(_ string, m *dns.Msg) bool {
		for _, r := range records {
			m.Answer = append(m.Answer, RR(r))
		}
		return true
	}
}

// NoData says that there is no such record.
func NoData(_ string, m *dns.Msg) bool { soa(m); return true }

// NXDomain says that there is no such name.
func NXDomain(_ string, m *dns.Msg) bool { m.Rcode = dns.RcodeNameError; soa(m); return true }

// Gone is a name that leads to one which does not exist.
func Gone(network string, m *dns.Msg) bool {
	if m.Question[0].Name == "host.example." {
		m.Answer = []dns.RR{RR("host.example. 60 IN CNAME gone.example.")}
	}
	return NXDomain(network, m)
}

// Rcode replies with a code and nothing else.
func Rcode(rcode int) Behaviour {
	return func(_ string, m *dns.Msg) bool { m.Rcode = rcode; return true }
}

// Idle neither knows the name nor looks for it.
func Idle(_ string, m *dns.Msg) bool { m.RecursionAvailable = false; return true }

// Refers knows others that may.
func Refers(network string, m *dns.Msg) bool {
	m.Ns = []dns.RR{RR("example. 60 IN NS ns.example.")}
	return Idle(network, m)
}

// Silent does not reply.
func Silent(string, *dns.Msg) bool { return false }

package doctor

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// resolves answers the names that there are.
func resolves(_ string, m *dns.Msg) bool {
	switch q := m.Question[0]; {
	case q.Name == wellKnown && q.Qtype == dns.TypeA:
		m.Answer = []dns.RR{testkit.RR(wellKnown + " 60 IN A 192.0.0.170")}
	case q.Name == wellKnown:
		return testkit.NoData("", m)
	case q.Qtype == dns.TypeNS:
		m.Answer = []dns.RR{testkit.RR(". 60 IN NS a.root-servers.net.")}
	case q.Qtype == dns.TypeDNSKEY:
		m.Answer = []dns.RR{testkit.RR(". 60 IN DNSKEY 257 3 13 AAAA")}
	default:
		return testkit.NXDomain("", m)
	}
	return true
}

// interviewed are upstreams that behave so, and what they say. Names are as the server writes them.
func interviewed(t *testing.T, timeout time.Duration, all ...testkit.Behaviour) (*interview, []string) {
	t.Helper()
	var names []string
	for _, behave := range all {
		s, err := server.Parse(testkit.Behaving(t, behave).String())
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, s.String())
	}
	v := option.Default()
	v.Rules.Timeout, v.Patience = timeout, timeout
	in := new(interview)
	if err := in.ask(t.Context(), names, v); err != nil {
		t.Fatal(err)
	}
	return in, names
}

// Of real upstreams one does its work, and one answers all names.
func TestInterview(t *testing.T) {
	var mu sync.Mutex
	asked := make(map[string]bool)
	signatures, tcp := false, false
	in, names := interviewed(t, time.Minute, func(network string, m *dns.Msg) bool {
		mu.Lock()
		defer mu.Unlock()
		asked[m.Question[0].Name] = true
		tcp = tcp || network == "tcp" && m.Question[0].Qtype == dns.TypeNS
		signatures = signatures || m.Question[0].Qtype == dns.TypeDNSKEY
		return resolves(network, m)
	}, func(network string, m *dns.Msg) bool {
		if q := m.Question[0]; q.Qtype == dns.TypeA && q.Name != wellKnown {
			m.Answer = []dns.RR{testkit.RR(q.Name + " 60 IN A 203.0.113.5")}
			return true
		}
		return resolves(network, m)
	})
	var f found
	for _, name := range names {
		in.judge(&f, &api.Upstream{Upstream: name, ToldBy: []string{"Corefile"}})
	}
	if len(f.problems) > 0 {
		t.Errorf("upstreams that reply: %+v", f.problems)
	}
	in.answered(&f)
	if len(f.problems) != 1 || !strings.HasPrefix(f.problems[0].What, names[1]+" answers names") || len(f.problems[0].Evidence) != len(tlds) || !strings.HasSuffix(f.problems[0].Mend, "bogus 203.0.113.5") {
		t.Errorf("one that answers all names: %+v", f.problems)
	}
	mu.Lock()
	defer mu.Unlock()
	if !tcp || !signatures {
		t.Errorf("asked over TCP: %v, for DNSKEY: %v", tcp, signatures)
	}
	delete(asked, wellKnown)
	delete(asked, ".")
	long := 0
	for name := range asked {
		long = max(long, len(name))
		if !strings.HasSuffix(name, ".com.") && !strings.HasSuffix(name, ".org.") && !strings.HasSuffix(name, ".net.") {
			t.Errorf("%s was asked for", name)
		}
	}
	if len(asked) != len(tlds) || long != len(".net.")+63 {
		t.Errorf("%d made-up names: %v", len(asked), asked)
	}
}

// One leaves AAAA and all of TCP without reply.
func TestInterviewSilent(t *testing.T) {
	in, names := interviewed(t, 300*time.Millisecond, func(network string, m *dns.Msg) bool {
		return network == "udp" && m.Question[0].Qtype != dns.TypeAAAA && resolves(network, m)
	})
	if replied(&in.addr6, names[0]) || replied(&in.tcp, names[0]) {
		t.Errorf("it has replied: %+v, %+v", in.addr6.Upstreams, in.tcp.Upstreams)
	}
}

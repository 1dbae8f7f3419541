package explain

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
)

func says(address string) result {
	m := new(dns.Msg).SetQuestion("host.example.", dns.TypeA)
	m.Response = true
	knows("host.example. 60 IN A "+address)("udp", m)
	return result{after: 12 * ms, msg: m, verdict: race.Good}
}

// R17: the output shows that answers differ, whose they are, and which one is preferred.
func TestR17Differ(t *testing.T) {
	home, company, near := says("192.0.2.1"), says("10.1.0.10"), says("192.0.2.9")
	for _, tc := range []struct {
		what    string
		o       *outcome
		differ  []int
		order   int
		private int
		text    string
	}{
		{"nothing", example(deniesResult, silentResult).won(0, ms), nil, 0, 0, ""},
		{"one", example(deniesResult, home).won(1, ms), nil, 0, 0, ""},
		{"alike", example(home, near).won(0, ms), nil, 0, 0, ""},
		{"private and public", example(deniesResult, home, company).won(1, ms), []int{1, 2}, 1, 2,
			"Answers differ: 10.2.0.53:53 (192.0.2.1), 10.3.0.53:53 (10.1.0.10, private).\n'prefer order' would choose 10.2.0.53:53, 'prefer private' 10.3.0.53:53."},
		{"the private one is first", example(company, home, near).won(0, ms), []int{0, 1, 2}, 0, 0,
			"Answers differ: 10.1.0.53:53 (10.1.0.10, private), 10.2.0.53:53 (192.0.2.1), 10.3.0.53:53 (192.0.2.9).\n'prefer order' and 'prefer private' would both choose 10.1.0.53:53."},
	} {
		among := tc.o.differing()
		if !slices.Equal(among, tc.differ) {
			t.Errorf("%s: %v differ, want %v", tc.what, among, tc.differ)
			continue
		}
		if got := strings.Join(tc.o.differences(), "\n"); got != tc.text {
			t.Errorf("%s: got\n%s\nwant\n%s", tc.what, got, tc.text)
		}
		if s := decode(t, string(asJSON(tc.o))); len(s.Differ) != len(tc.differ) || (s.Preferred != nil) != (len(tc.differ) > 0) {
			t.Errorf("%s: %+v", tc.what, s)
		}
		if len(among) > 0 && (tc.o.preferred(among, option.Order) != tc.order || tc.o.preferred(among, option.Private) != tc.private) {
			t.Errorf("%s: others are preferred", tc.what)
		}
		if !strings.HasSuffix(asText(tc.o, style{}), tc.text+"\n") {
			t.Errorf("%s: not told in\n%s", tc.what, asText(tc.o, style{}))
		}
	}
}

// R22: whose answer is left out, and why, and that this is no reply at all.
func TestR22Untrusted(t *testing.T) {
	t.Parallel()
	knows := func(_ string, m *dns.Msg) bool {
		ip := net.IPv4(10, 1, 0, 10)
		if m.Question[0].Name != "host.example." {
			ip = net.IPv4(192, 0, 2, 1)
		}
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: ip}}
		return true
	}
	public := "@" + resolver(t, knows).String()
	for _, tc := range []struct{ name, from, want string }{
		{"host.example", "192.0.2.53", "private address, and private_from leaves this upstream out"},
		{"wpad.example", "192.0.2.53", "private_from leaves this upstream out for such names"},
		{"www.example", "192.0.2.53", "first good answer"},
		{"host.example", "127.0.0.0/8", "first good answer"},
		{"host.example", "private", "first good answer"},
	} {
		_, out, _ := command(t, tc.name, "--private-from", "vpn", "--private-from", tc.from, public)
		left := strings.Contains(out, "dnsmus replies NODATA") && strings.Contains(out, "private_from leaves out all upstreams that answered.")
		if !strings.Contains(out, tc.want) || left != (tc.want != "first good answer") {
			t.Errorf("%s, %s:\n%s", tc.name, tc.from, out)
		}
	}
}

// The options of the stanza are flags. The preferred answer is taken, and shown as such.
func TestPrefer(t *testing.T) {
	t.Parallel()
	cfg, err := parse([]string{"host.example", "--prefer", "private", "--filtered"})
	if err != nil || cfg.Prefer != option.Private || !cfg.Rules.Filtered {
		t.Fatalf("%+v, %v", cfg, err)
	}
	slow := says("10.1.0.10")
	slow.after *= 2
	o := example(says("192.0.2.1"), slow).won(1, 24*ms)
	if a, b := o.why(0), o.why(1); a != "good, but not preferred" || b != "preferred answer" {
		t.Errorf("%q, %q", a, b)
	}
	filter := func(_ string, m *dns.Msg) bool {
		m.Rcode = dns.RcodeNameError
		if len(m.Question) > 0 && m.Question[0].Name == "ads.example." {
			m.Rcode, m.Answer = dns.RcodeSuccess, []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "ads.example.", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4zero}}
		}
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeBlocked}}
		return true
	}
	for _, name := range []string{"host.example", "ads.example"} {
		_, out, _ := command(t, name, "--filtered", "--timeout", "1s", "@"+resolver(t, silent).String(), "@"+resolver(t, filter).String())
		if !strings.Contains(out, "Final: the reply says that a filter made it.") || name == "ads.example" && !strings.Contains(out, "a filter's answer") {
			t.Errorf("got\n%s", out)
		}
	}
}

package explain

import (
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
)

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
		_, out, _ := explains(t, tc.name, "--private-from", "vpn", "--private-from", tc.from, public)
		left := strings.Contains(out, " A: NODATA after ") && strings.Contains(out, "private_from leaves out all upstreams that answered.")
		if !strings.Contains(out, tc.want) || left != (tc.want != "first good answer") {
			t.Errorf("%s, %s:\n%s", tc.name, tc.from, out)
		}
	}
}

// The options of the stanza are flags.
func TestFlags(t *testing.T) {
	t.Parallel()
	cfg, err := parse([]string{"host.example", "--prefer", "private", "--filtered"})
	if err != nil {
		t.Fatal(err)
	}
	v := option.Default()
	if cfg.apply(&v); v.Prefer != option.Private || !v.Rules.Filtered {
		t.Fatalf("%+v", v)
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
		_, out, _ := explains(t, name, "--filtered", "--timeout", "5s", "@"+resolver(t, silent).String(), "@"+resolver(t, filter).String())
		if !strings.Contains(out, "Final: the reply says that a filter made it.") || name == "ads.example" && !strings.Contains(out, "a filter's answer") {
			t.Errorf("got\n%s", out)
		}
	}
}

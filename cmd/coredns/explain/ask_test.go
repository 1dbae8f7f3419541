package explain

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

const soon = 20 * time.Second // in which a busy machine comes round to it

// decoded is an outcome as programs read it. The names of members are repeated here,
// because programs rely on them.
type decoded struct {
	Name, Type, Verdict, Rcode string
	Upstream                   *string
	Seconds                    float64
	Answer, Authority          []string
	Data                       *string
	Conclusive, Interrupted    bool
	Missing                    []struct {
		Upstream, Why string
		Silent        bool
	}
	Differ          []string
	Preferred       *struct{ Order, Private string }
	Asked, Prefer   string
	Changed         *string
	Filtered, Final bool
	LongerTTL       *uint32 `json:"longer_ttl"`
	Kept            any
	TTL             *uint32 `json:"ttl"`
	Parts           []struct {
		Name     string
		Upstream *string
	}
	Upstreams []struct {
		Upstream          string
		Seconds           *float64
		Rcode             *string
		Verdict, Why      string
		Winner, Late      bool
		Answer, Authority []string
		Data              *string

		Truncated, Stream, Private, Alias, Down, Unasked bool

		ExtendedErrors []string `json:"extended_errors"`
	}
}

func decode(t *testing.T, out string) decoded {
	t.Helper()
	var s decoded
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return s
}

// whys are the verdict and the reason of each upstream.
func (s decoded) whys() (list []string) {
	for _, u := range s.Upstreams {
		list = append(list, u.Verdict+": "+u.Why)
	}
	return list
}

func TestAsk(t *testing.T) {
	t.Parallel()
	const address = "host.example. 60 IN A 192.0.2.1"
	huge := func(network string, m *dns.Msg) bool {
		if m.Truncated = network == "udp"; !m.Truncated {
			m.Answer = []dns.RR{testkit.RR(address)}
		}
		return true
	}
	roomForCNAME := func(network string, m *dns.Msg) bool {
		m.Answer = []dns.RR{testkit.RR("host.example. 60 IN CNAME x.example.")}
		if m.Truncated = network == "udp"; !m.Truncated {
			m.Answer = append(m.Answer, testkit.RR("x.example. 60 IN A 192.0.2.1"))
		}
		return true
	}
	better := func(network string, m *dns.Msg) bool {
		if network == "udp" {
			return nxdomain(network, m)
		}
		return knows(address)(network, m)
	}
	unreadable := func(_ string, m *dns.Msg) bool {
		m.Answer = []dns.RR{&dns.RFC3597{Hdr: dns.RR_Header{Name: "host.example.", Rrtype: dns.TypeA, Class: dns.ClassINET}, Rdata: "010203"}}
		return true
	}
	explained := func(_ string, m *dns.Msg) bool {
		m.Rcode = dns.RcodeServerFailure
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeDNSBogus, ExtraText: "bad\x1b[2Jkey"}}
		return true
	}
	const fast = " --patience 1s --timeout 5s"
	for _, tc := range []struct {
		what      string
		upstreams []behaviour // nil: its port is closed
		args      string
		status    int
		verdict   string
		winner    int
		whys      []string
		missing   []int
		ttl       int // -1: none
	}{
		{"one knows, one denies, one is silent", []behaviour{nxdomain, knows(address), silent}, fast, 0, "good", 1,
			[]string{"nxdomain: no such name", "good: first good answer", "none: no reply in 1s; upstream is down"}, nil, 60},
		{"all deny", []behaviour{nxdomain, nxdomain, nxdomain}, "", 2, "nxdomain", 0,
			[]string{"nxdomain: no such name", "nxdomain: no such name", "nxdomain: no such name"}, nil, 5},
		{"one says NODATA", []behaviour{nxdomain, nodata}, "", 1, "nodata", 1,
			[]string{"nxdomain: no such name", "nodata: no A record"}, nil, 5},
		{"without SOA", []behaviour{code(dns.RcodeNameError), code(dns.RcodeSuccess)}, "", 1, "nodata", 1,
			[]string{"nxdomain: no such name, without SOA", "nodata: no A record, without SOA"}, nil, -1},
		{"SERVFAIL has no opinion", []behaviour{nxdomain, code(dns.RcodeServerFailure)}, "", 2, "nxdomain", 0,
			[]string{"nxdomain: no such name", "servfail: replied SERVFAIL"}, []int{1}, 5},
		{"for as long as is told", []behaviour{nxdomain, code(dns.RcodeServerFailure)}, "--negative-ttl 7s", 2, "nxdomain", 0,
			[]string{"nxdomain: no such name", "servfail: replied SERVFAIL"}, []int{1}, 7},
		{"silence has no opinion", []behaviour{silent, nxdomain}, fast, 2, "nxdomain", 1,
			[]string{"none: no reply in 1s; upstream is down", "nxdomain: no such name"}, []int{0}, 5},
		{"silence to the end", []behaviour{silent, nxdomain}, "--patience 10s --timeout 5s", 2, "nxdomain", 1,
			[]string{"none: no reply in 5s", "nxdomain: no such name"}, []int{0}, 5},
		{"a closed port has no opinion", []behaviour{nil, nxdomain}, "--timeout 1m --patience 1m", 2, "nxdomain", 1,
			[]string{"none: connection refused", "nxdomain: no such name"}, []int{0}, 5},
		{"nobody replies", []behaviour{nil, nil}, "--timeout 1m --patience 1m", 3, "none", -1,
			[]string{"none: connection refused", "none: connection refused"}, []int{0, 1}, -1},
		{"all fail", []behaviour{code(dns.RcodeRefused), code(dns.RcodeServerFailure), code(dns.RcodeNotImplemented)}, "", 3, "servfail", 1,
			[]string{"refused: replied REFUSED", "servfail: replied SERVFAIL", "error: replied NOTIMP"}, []int{0, 1, 2}, -1},
		{"all refuse", []behaviour{code(dns.RcodeRefused)}, "", 3, "refused", 0, []string{"refused: replied REFUSED"}, []int{0}, -1},
		{"a chain to nowhere", []behaviour{nxdomain, testkit.Gone}, "", 2, "nxdomain", 1,
			[]string{"nxdomain: no such name", "nxdomain: alias of gone.example.: no such name at the end of its CNAME chain"}, nil, 5},
		{"a referral has no opinion", []behaviour{testkit.Refers, nxdomain, testkit.Idle}, "", 2, "nxdomain", 1,
			[]string{"referral: refers to other servers", "nxdomain: no such name", "referral: offers no recursion"}, []int{0, 2}, 5},
		{"nothing but a referral", []behaviour{testkit.Refers, code(dns.RcodeServerFailure)}, "", 3, "referral", 0,
			[]string{"referral: refers to other servers", "servfail: replied SERVFAIL"}, []int{0, 1}, -1},
		{"REFUSED has no opinion", []behaviour{code(dns.RcodeRefused), nxdomain}, "", 2, "nxdomain", 1,
			[]string{"refused: replied REFUSED", "nxdomain: no such name"}, []int{0}, 5},
		{"truncated after a CNAME", []behaviour{roomForCNAME}, "", 0, "good", 0, []string{"good: first good answer"}, nil, 60},
		{"truncated", []behaviour{huge}, "", 0, "good", 0, []string{"good: first good answer"}, nil, 60},
		{"over TCP", []behaviour{better}, "--tcp", 0, "good", 0, []string{"good: first good answer"}, nil, 60},
		{"unreadable", []behaviour{unreadable, nxdomain}, "", 2, "nxdomain", 1,
			[]string{"none: reply that cannot be unpacked", "nxdomain: no such name"}, []int{0}, 5},
		{"extended error", []behaviour{explained}, "", 3, "servfail", 0,
			[]string{"servfail: replied SERVFAIL, DNSSEC Bogus (bad?[2Jkey)"}, []int{0}, -1},
		{"bogus", []behaviour{nxdomain, knows(address)}, "--bogus 192.0.2.0/24", 2, "nxdomain", 0,
			[]string{"nxdomain: no such name", "bogus: not good: bogus address"}, nil, 5},
		{"nothing but bogus", []behaviour{knows(address)}, "--bogus 192.0.2.0/24", 3, "bogus", 0,
			[]string{"bogus: not good: bogus address"}, nil, 60},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"host.example", "--json"}, strings.Fields(tc.args)...)
			if !strings.Contains(tc.args, "--patience") { // all reply, as late as on a busy machine
				args = append(args, "--timeout", "1m", "--patience", "1m")
			}
			var addrs []string
			for _, b := range tc.upstreams {
				var addr netip.AddrPort
				if b != nil {
					addr = resolver(t, b)
				} else {
					addr = testkit.FreeAddr(t)
				}
				addrs = append(addrs, addr.String())
				args = append(args, "@"+addrs[len(addrs)-1])
			}
			status, out, problems := explains(t, args...)
			s := decode(t, out)
			if status != tc.status || problems != "" || s.Verdict != tc.verdict || !slices.Equal(s.whys(), tc.whys) || s.Interrupted {
				t.Errorf("status %d, problems %q, verdict %s; want %d, %s\n%q, want %q", status, problems, s.Verdict, tc.status, tc.verdict, s.whys(), tc.whys)
			}
			if (s.Upstream != nil) != (tc.winner >= 0) || s.Upstream != nil && *s.Upstream != addrs[tc.winner] {
				t.Errorf("winner is not %d: %s", tc.winner, out)
			}
			for i, u := range s.Upstreams {
				spoke := u.Rcode != nil
				if u.Upstream != addrs[i] || u.Winner != (i == tc.winner) || u.Late || spoke != (u.Verdict != "none") || spoke && u.Seconds == nil {
					t.Errorf("upstream %d: %+v", i, u)
				}
			}
			var missing []string
			for _, i := range tc.missing {
				missing = append(missing, addrs[i]+" "+s.Upstreams[i].Why)
			}
			var got []string
			for _, m := range s.Missing {
				got = append(got, m.Upstream+" "+m.Why)
			}
			if !slices.Equal(got, missing) || s.Conclusive != (len(missing) == 0) {
				t.Errorf("conclusive: %v; missing %q, want %q", s.Conclusive, got, missing)
			}
			if s.TTL == nil && tc.ttl >= 0 || s.TTL != nil && int(*s.TTL) != tc.ttl {
				t.Errorf("ttl is not %d: %s", tc.ttl, out)
			}
			rcode := "SERVFAIL"
			if tc.winner >= 0 {
				rcode = *s.Upstreams[tc.winner].Rcode
			}
			if s.Name != "host.example." || s.Type != "A" || s.Rcode != rcode || s.Seconds <= 0 || s.Seconds > soon.Seconds() {
				t.Errorf("question, rcode or time: %s", out)
			}
		})
	}
}

// A reply with a lowered TTL is shown as clients get it, and as the upstream sent it.
func TestTempered(t *testing.T) {
	no, fails := resolver(t, nxdomain), resolver(t, code(dns.RcodeServerFailure))
	_, out, _ := explains(t, "host.example", "--json", "@"+no.String(), "@"+fails.String())
	const record = " IN SOA ns.example. hostmaster.example. 1 2 3 4 30"
	s := decode(t, out)
	if !slices.Equal(s.Authority, []string{"example. 5" + record}) || !slices.Equal(s.Upstreams[0].Authority, []string{"example. 60" + record}) {
		t.Error(out)
	}
}

// What is printed can be given to others: of a path, which may identify an account, it has a hash.
func TestPathIsHidden(t *testing.T) {
	upstream := "@https://" + testkit.FreeAddr(t).String() + "/secret"
	for _, args := range [][]string{{"host.example", upstream}, {"host.example", "--json", upstream}} {
		_, out, problems := explains(t, args...)
		if strings.Contains(out+problems, "secret") || !strings.Contains(out, "/#") {
			t.Errorf("%v: %s%s", args, out, problems)
		}
	}
}

package explain

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
)

const soon = 20 * time.Second // in which a busy machine comes round to it

// decoded is an outcome as programs read it. The names of members are repeated here,
// because programs rely on them.
type decoded struct {
	Name, Type, Verdict, Rcode string
	Upstream                   *string
	Seconds                    float64
	Answer, Authority          []string
	Conclusive, Interrupted    bool
	Missing                    []struct{ Upstream, Why string }
	Differ                     []string
	Preferred                  *struct{ Order, Private string }
	TTL                        *uint32 `json:"ttl"`
	Parts                      []struct {
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
		Truncated         bool
		ExtendedErrors    []string `json:"extended_errors"`
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
			m.Answer = []dns.RR{rr(address)}
		}
		return true
	}
	roomForCNAME := func(network string, m *dns.Msg) bool {
		m.Answer = []dns.RR{rr("host.example. 60 IN CNAME x.example.")}
		if m.Truncated = network == "udp"; !m.Truncated {
			m.Answer = append(m.Answer, rr("x.example. 60 IN A 192.0.2.1"))
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
		{"silence to the end", []behaviour{silent, nxdomain}, "--patience 10s --timeout 1s", 2, "nxdomain", 1,
			[]string{"none: no reply in 1s", "nxdomain: no such name"}, []int{0}, 5},
		{"a closed port has no opinion", []behaviour{nil, nxdomain}, "--timeout 1m --patience 1m", 2, "nxdomain", 1,
			[]string{"none: connection refused", "nxdomain: no such name"}, []int{0}, 5},
		{"nobody replies", []behaviour{nil, nil}, "--timeout 1m --patience 1m", 3, "none", -1,
			[]string{"none: connection refused", "none: connection refused"}, []int{0, 1}, -1},
		{"all fail", []behaviour{code(dns.RcodeRefused), code(dns.RcodeServerFailure), code(dns.RcodeNotImplemented)}, "", 3, "servfail", 1,
			[]string{"refused: replied REFUSED", "servfail: replied SERVFAIL", "error: replied NOTIMP"}, []int{0, 1, 2}, -1},
		{"all refuse", []behaviour{code(dns.RcodeRefused)}, "", 3, "refused", 0, []string{"refused: replied REFUSED"}, []int{0}, -1},
		{"a chain to nowhere", []behaviour{nxdomain, gone}, "", 2, "nxdomain", 1,
			[]string{"nxdomain: no such name", "nxdomain: alias of gone.example.: no such name at the end of its CNAME chain"}, nil, 5},
		{"a referral has no opinion", []behaviour{refers, nxdomain, idle}, "", 2, "nxdomain", 1,
			[]string{"referral: refers to other servers", "nxdomain: no such name", "referral: offers no recursion"}, []int{0, 2}, 5},
		{"nothing but a referral", []behaviour{refers, code(dns.RcodeServerFailure)}, "", 3, "referral", 0,
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
			status, out, problems := command(t, args...)
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
	_, out, _ := command(t, "host.example", "--json", "@"+no.String(), "@"+fails.String())
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
		_, out, problems := command(t, args...)
		if strings.Contains(out+problems, "secret") || !strings.Contains(out, "/#") {
			t.Errorf("%v: %s%s", args, out, problems)
		}
	}
}

// begin starts to ask: until waits for what check wants, and end returns the outcome, if
// need be after stop was called.
func begin(t *testing.T, args string, upstreams ...behaviour) (a *liveRace, until func(check func(*outcome) bool), end func() *outcome, stop func()) {
	t.Helper()
	cfg, err := parse(strings.Fields("host.example " + args))
	if err != nil {
		t.Fatal(err)
	}
	var servers []server.Server
	for _, b := range upstreams {
		servers = append(servers, server.Plain(resolver(t, b)))
	}
	a = newLiveRace(cfg, servers)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan *outcome, 1)
	go func() { done <- a.ask(ctx) }()
	until = func(check func(*outcome) bool) {
		t.Helper()
		for late := time.Now().Add(soon); !check(a.snapshot()); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(late) {
				t.Fatalf("it does not come about: %+v", a.snapshot())
			}
		}
	}
	end = func() *outcome {
		t.Helper()
		select {
		case o := <-done:
			return o
		case <-time.After(soon):
			t.Fatal("no end")
			return nil
		}
	}
	return a, until, end, stop
}

func over(o *outcome) bool { return o.over }

// Once the race is over, packets that are lost are sent again all the same.
func TestLossAfterTheRace(t *testing.T) {
	t.Parallel()
	n := 0
	lossy := func(network string, m *dns.Msg) bool {
		n++
		return n > 2 && nxdomain(network, m)
	}
	_, _, end, _ := begin(t, "--timeout 1m --patience 1m", knows("host.example. 60 IN A 192.0.2.1"), lossy)
	if o := end(); o.winner != 0 || o.why(1) != "no such name" || o.exit() != 0 {
		t.Errorf("%+v", o)
	}
}

// A reply that came too late is shown, but does not count for the verdict.
func TestLate(t *testing.T) {
	t.Parallel()
	wait := make(chan struct{})
	slow := func(network string, m *dns.Msg) bool {
		<-wait
		return knows("host.example. 60 IN A 192.0.2.1")(network, m)
	}
	_, until, end, _ := begin(t, "--timeout 1m --patience 500ms", nxdomain, slow)
	until(over)
	close(wait)
	o := end()
	if o.exit() != 2 || o.conclusive || o.why(1) != "too late: good answer" || !slices.Equal(o.missing, []int{1}) || !o.results[1].late {
		t.Errorf("status %d, %s, %+v", o.exit(), o.why(1), o)
	}
	if s := decode(t, string(asJSON(o))); s.Upstreams[0].Late || !s.Upstreams[1].Late {
		t.Errorf("JSON says otherwise: %+v", s)
	}
}

// An upstream that was down when the race ended is asked again when it is back.
func TestBackAfterTheRace(t *testing.T) {
	t.Parallel()
	back := make(chan struct{})
	away := func(network string, m *dns.Msg) bool {
		select {
		case <-back:
			return nxdomain(network, m)
		default:
			return false
		}
	}
	_, until, end, _ := begin(t, "--timeout 1m --patience 500ms", nodata, away)
	until(over)
	close(back)
	o := end()
	if o.exit() != 1 || o.conclusive || o.why(1) != "too late: no such name" {
		t.Errorf("status %d, %s, %+v", o.exit(), o.why(1), o)
	}
}

// One that is back is not down, though it stays silent to this name.
func TestBackAndSilent(t *testing.T) {
	t.Parallel()
	back := make(chan struct{})
	probed := func(network string, m *dns.Msg) bool {
		select {
		case <-back:
			return m.Question[0].Name == "." && nxdomain(network, m)
		default:
			return false
		}
	}
	_, until, end, _ := begin(t, "--timeout 4s --patience 500ms", nodata, probed)
	until(func(o *outcome) bool { return o.results[1].down })
	close(back)
	o := end()
	if o.why(1) != "no reply in 4s, though it answers other queries" || o.results[1].late {
		t.Errorf("%s, %+v", o.why(1), o)
	}
	if text := asText(o, style{}); !o.conclusive && !strings.Contains(text, "The server stops waiting for an upstream that leaves a name without reply") {
		t.Errorf("got\n%s", text)
	}
}

// What comes while the race ends is kept apart from what came before.
func TestInTheMomentOfTheEnd(t *testing.T) {
	cfg, err := parse([]string{"host.example"})
	if err != nil {
		t.Fatal(err)
	}
	answer := reply(knows("host.example. 60 IN A 192.0.2.1"))
	packed, err := answer.Pack()
	if err != nil {
		t.Fatal(err)
	}
	a := newLiveRace(cfg, make([]server.Server, 1))
	a.legs, a.ended = []race.LegReport{{Verdict: race.Good, Msg: packed, At: time.Now(), Late: true}}, true
	a.over = a.decided(&pool.Result{Result: race.Result{Leg: -1, Errs: []error{race.ErrSilent}}}, []error{race.ErrSilent}, new(dns.Msg), 0, false)
	if o := a.snapshot(); !o.results[0].late {
		t.Error("a reply to nobody is not late")
	}
	a.legs[0].Late = false
	a.over = a.decided(&pool.Result{Result: race.Result{Leg: 0, Verdict: race.Good}}, nil, answer, 0, true)
	if o := a.snapshot(); o.interrupted || o.results[0].late || o.exit() != 0 {
		t.Error("a good answer was interrupted")
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	spoken := func(o *outcome) bool { return !o.results[0].pending() }
	for _, tc := range []struct {
		what      string
		upstreams []behaviour
		when      func(*outcome) bool
		status    int
		whys      []string
		text      string
	}{
		{"in the race", []behaviour{nxdomain, silent}, spoken, 130, []string{"no such name", "no reply yet"}, "If nothing better comes, dnsmus replies NXDOMAIN"},
		{"before anybody spoke", []behaviour{silent}, func(*outcome) bool { return true }, 130, []string{"no reply yet"}, "before any upstream replied."},
		{"after the race", []behaviour{knows("host.example. 60 IN A 192.0.2.1"), silent}, over, 0, []string{"first good answer", "no reply yet"}, "dnsmus replies NOERROR after"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			_, until, end, stop := begin(t, "--timeout 1m --patience 1m", tc.upstreams...)
			until(tc.when)
			stop()
			o := end()
			var whys []string
			for i := range o.results {
				whys = append(whys, o.why(i))
			}
			if o.exit() != tc.status || o.interrupted != (tc.status == 130) || !slices.Equal(whys, tc.whys) || !strings.Contains(asText(o, style{}), tc.text) {
				t.Errorf("status %d, %q\n%s", o.exit(), whys, asText(o, style{}))
			}
			if got := decode(t, string(asJSON(o))); got.Interrupted != o.interrupted {
				t.Error("JSON says otherwise")
			}
		})
	}
}

package cache

import (
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

var begun = time.Now()

// after is that long after the tests' beginning.
func after(d time.Duration) time.Time { return begun.Add(d) }

func question(t *testing.T, name string, qtype uint16) []byte {
	t.Helper()
	msg, err := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype).Pack()
	if err != nil {
		t.Fatal(err)
	}
	return wire.Question(msg)
}

// reply is one for wiki.corp.example, with these records: of the answer section first, then
// after a line "authority" those of the authority section, and after "additional" the rest.
func reply(t *testing.T, qtype uint16, rcode int, records ...string) []byte {
	t.Helper()
	m := new(dns.Msg).SetQuestion("wiki.corp.example.", qtype)
	m.Response, m.RecursionAvailable, m.Rcode = true, true, rcode
	section := &m.Answer
	for _, text := range records {
		switch text {
		case "authority":
			section = &m.Ns
			continue
		case "additional":
			section = &m.Extra
			continue
		}
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		*section = append(*section, rr)
	}
	msg, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

const (
	address = "wiki.corp.example. 300 IN A 10.1.2.3"
	soa     = "corp.example. 1800 IN SOA ns.corp.example. root.corp.example. 1 2 3 4 900"
)

// outcome is what a race over an upstream of that name brings, if it ends with that reply.
func outcome(msg []byte, by string) Reply[string] {
	r := Reply[string]{Negative: 5 * time.Second, Givers: []string{by}, Among: []string{by}}
	r.Result = race.Result{Msg: msg, Verdict: race.Judge(msg, race.Policy{})}
	r.Max = r.MaxTTL(r.Negative, false, false)
	return r
}

func newCache(cfg ...func(*Config[string])) *Cache[string] {
	c := Config[string]{Entries: 10_000, Same: func(a, b string) bool { return a == b }, MayKnow: func(string, []byte) bool { return true }}
	for _, set := range cfg {
		set(&c)
	}
	return New(c)
}

// What is kept, as what, and for how long (RFC 2308, section 5; RFC 8767, section 4).
func TestLives(t *testing.T) {
	const nothing = time.Duration(0)
	inconclusive := func(r *Reply[string]) { r.Errs = []error{nil, race.ErrSilent} }
	bare := func(v race.Verdict) func(*Reply[string]) {
		return func(r *Reply[string]) { r.Result = race.Result{Leg: -1, Verdict: v} }
	}
	odd := func(edit func(msg []byte)) func(*Reply[string]) { return func(r *Reply[string]) { edit(r.Msg) } }
	long := make([]string, 100)
	for i := range long {
		long[i] = fmt.Sprintf("wiki.corp.example. 300 IN TXT %s", strings.Repeat("x", 40))
	}
	signed := "wiki.corp.example. 300 IN RRSIG A 8 3 300 20300101000000 20200101000000 1 corp.example. c2lnbmF0dXJl"
	for _, tc := range []struct {
		what    string
		records []string
		rcode   int
		edit    func(*Reply[string])
		kind    Kind
		life    time.Duration
	}{
		{"an answer", []string{address}, 0, nil, Answer, 5 * time.Minute},
		{"two", []string{address, "wiki.corp.example. 60 IN A 10.1.2.4"}, 0, nil, Answer, time.Minute},
		{"a chain", []string{"wiki.corp.example. 20 IN CNAME a.corp.example.", "a.corp.example. 300 IN A 10.1.2.3"}, 0, nil, Answer, 20 * time.Second},
		{"its authority lives for less", []string{address, "authority", "corp.example. 30 IN NS ns.corp.example."}, 0, nil, Answer, 30 * time.Second},
		{"a day", []string{"wiki.corp.example. 86400 IN A 10.1.2.3"}, 0, nil, Answer, time.Hour},
		{"no life", []string{"wiki.corp.example. 0 IN A 10.1.2.3"}, 0, nil, Answer, nothing},
		{"the greatest TTL", []string{"wiki.corp.example. 4294967295 IN A 10.1.2.3"}, 0, nil, Answer, time.Hour},
		{"signed", []string{address, signed}, 0, nil, Answer, 5 * time.Minute},
		{"with EDNS", []string{address}, 0, func(r *Reply[string]) { r.Msg = withOPT(t, r.Msg) }, Answer, 5 * time.Minute},
		{"with EDNS and an option", []string{address}, 0, func(r *Reply[string]) { r.Msg = withOPT(t, r.Msg, &dns.EDNS0_EDE{InfoCode: 4}) }, Answer, 5 * time.Minute},
		{"long", long, 0, nil, Answer, nothing},
		{"truncated", []string{address}, 0, odd(func(msg []byte) { msg[2] |= 2 }), Answer, nothing},
		{"malformed", []string{address}, 0, odd(func(msg []byte) { msg[len(msg)-5] = 3 }), Answer, nothing},
		{"with an address that is bogus", []string{address}, 0, func(r *Reply[string]) { r.Verdict = race.Bogus }, Failure, nothing},
		{"with an address that its upstream may not give", []string{address}, 0, func(r *Reply[string]) { r.Verdict = race.Untrusted }, Failure, nothing},

		{"NXDOMAIN", []string{"authority", soa}, 3, nil, Denial, time.Minute},
		{"short MINIMUM", []string{"authority", strings.Replace(soa, " 900", " 20", 1)}, 3, nil, Denial, 20 * time.Second},
		{"short TTL", []string{"authority", strings.Replace(soa, " 1800", " 20", 1)}, 3, nil, Denial, 20 * time.Second},
		{"no MINIMUM", []string{"authority", strings.Replace(soa, " 900", " 0", 1)}, 3, nil, Denial, nothing},
		{"NODATA", []string{"authority", soa}, 0, nil, Denial, time.Minute},
		{"NODATA without SOA", nil, 0, nil, Denial, 5 * time.Second},
		{"NXDOMAIN without SOA", nil, 3, nil, Denial, 5 * time.Second},
		{"not of all", []string{"authority", soa}, 3, inconclusive, Denial, 5 * time.Second},
		{"chain to NXDOMAIN", []string{"wiki.corp.example. 30 IN CNAME gone.corp.example.", "authority", soa}, 3, nil, Denial, 30 * time.Second},
		{"chain to NODATA", []string{"wiki.corp.example. 300 IN CNAME a.corp.example.", "authority", soa}, 0, nil, Denial, time.Minute},
		{"proven to exist", nil, 0, bare(race.NoData), Denial, 5 * time.Second},
		{"referral", []string{"authority", "corp.example. 300 IN NS ns.corp.example."}, 0, odd(func(msg []byte) { msg[3] &^= 0x80 }), Failure, nothing},

		{"SERVFAIL", nil, 2, nil, Failure, time.Second},
		{"REFUSED", nil, 5, nil, Failure, time.Second},
		{"NOTIMP", nil, 4, nil, Failure, time.Second},
		{"no reply", nil, 2, bare(race.None), Failure, time.Second},
		{"away", nil, 2, bare(race.ServFail), Failure, time.Second},
		{"no question", nil, 2, func(r *Reply[string]) { r.Msg = r.Msg[:wire.HeaderSize]; r.Msg[5] = 0 }, Failure, time.Second},
	} {
		msg := reply(t, dns.TypeA, tc.rcode, tc.records...)
		if tc.what == "referral" {
			msg[3] &^= 0x80
		}
		r := outcome(msg, "one")
		r.Rcode = tc.rcode
		if tc.edit != nil {
			tc.edit(&r)
		}
		c, q := newCache(), question(t, "wiki.corp.example", dns.TypeA)
		c.Put(q, 0, r, begun)
		e, _, state := c.Get(q, 0, begun)
		if (state == Alive) != (tc.life > 0) {
			t.Errorf("%s: its state is %v", tc.what, state)
			continue
		}
		if tc.life == 0 {
			continue
		}
		if e.Kind != tc.kind || e.life != tc.life {
			t.Errorf("%s: kind %v for %v, want %v for %v", tc.what, e.Kind, e.life, tc.kind, tc.life)
		}
		last, end := after(tc.life-1), after(tc.life)
		if _, _, s := c.Get(q, 0, last); s != Alive {
			t.Errorf("%s: at its last moment its state is %v", tc.what, s)
		}
		want := None
		if tc.kind == Answer {
			want = Ended
		}
		if _, _, s := c.Get(q, 0, end); s != want {
			t.Errorf("%s: at its end its state is %v", tc.what, s)
		}
		told := e.AppendTo(nil, tc.life-1)
		if err := new(dns.Msg).Unpack(told); err != nil {
			t.Errorf("%s: %v", tc.what, err)
		}
	}
}

// withOPT adds an OPT with these options.
func withOPT(t *testing.T, msg []byte, options ...dns.EDNS0) []byte {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(msg); err != nil {
		t.Fatal(err)
	}
	m.SetEdns0(1232, false)
	m.IsEdns0().Option = options
	msg, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// ttls are those of all records of a reply.
func ttls(t *testing.T, msg []byte) (all []uint32) {
	t.Helper()
	if err := wire.Records(msg, func(r wire.Record) bool { all = append(all, r.TTL); return true }); err != nil {
		t.Fatal(err)
	}
	return all
}

// TTLs count down in whole seconds. Those of a denial are never above what clients may be told
// at first, nor do they outlive it.
func TestTold(t *testing.T) {
	q := question(t, "wiki.corp.example", dns.TypeA)
	answer := reply(t, dns.TypeA, 0, address, "wiki.corp.example. 86400 IN A 10.1.2.4", "authority", "corp.example. 400 IN NS ns.corp.example.",
		"additional", "ns.corp.example. 500 IN A 10.1.2.5")
	differs := outcome(answer, "one")
	differs.Max.Answer = 30
	denial := outcome(reply(t, dns.TypeA, 3, "authority", soa), "one")
	beside := denial
	beside.Max = race.MaxTTL{Answer: 60, Authority: 60}
	for _, tc := range []struct {
		what  string
		reply Reply[string]
		age   time.Duration
		want  []uint32
	}{
		{"an answer", outcome(answer, "one"), 0, []uint32{300, 86400, 400, 500}},
		{"later", outcome(answer, "one"), 1999 * time.Millisecond, []uint32{299, 86399, 399, 499}},
		{"at the end", outcome(answer, "one"), 299*time.Second + 1, []uint32{1, 86101, 101, 201}},
		{"where answers differ", differs, 10 * time.Second, []uint32{30, 30, 390, 490}},
		{"where they differ, at the end", differs, 290 * time.Second, []uint32{10, 30, 110, 210}},
		{"a denial", denial, 0, []uint32{5}},
		{"a denial, later", denial, 30 * time.Second, []uint32{5}},
		{"a denial, at the end", denial, 58*time.Second + 1, []uint32{2}},
		{"NODATA beside an answer", beside, 0, []uint32{60}},
		{"NODATA beside an answer, later", beside, 50 * time.Second, []uint32{10}},
	} {
		c := newCache()
		c.Put(q, 0, tc.reply, begun)
		e, age, state := c.Get(q, 0, after(tc.age))
		if state != Alive {
			t.Errorf("%s: its state is %v", tc.what, state)
			continue
		}
		if got := ttls(t, e.AppendTo([]byte("junk"), age)[4:]); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.what, got, tc.want)
		}
		for _, ttl := range ttls(t, e.AppendStale(nil)) {
			if ttl != StaleTTL {
				t.Errorf("%s: stale, its TTL is %d", tc.what, ttl)
			}
		}
	}
}

// What is kept for one client is given to those who ask the same, and to no others.
func TestKeys(t *testing.T) {
	c := newCache()
	c.Put(question(t, "wiki.corp.example", dns.TypeA), 0, outcome(reply(t, dns.TypeA, 0, address), "one"), begun)
	for _, tc := range []struct {
		name  string
		qtype uint16
		f     Flags
		want  State
	}{
		{"wiki.corp.example", dns.TypeA, 0, Alive},
		{"WIKI.corp.Example", dns.TypeA, 0, Alive},
		{"wiki.corp.example", dns.TypeAAAA, 0, None},
		{"wiki.corp.example", dns.TypeA, DO, None},
		{"wiki.corp.example", dns.TypeA, CD, None},
		{"corp.example", dns.TypeA, 0, None},
		{"wiki.corp.example.example", dns.TypeA, 0, None},
		{"", dns.TypeA, 0, None},
	} {
		if _, _, s := c.Get(question(t, tc.name, tc.qtype), tc.f, begun); s != tc.want {
			t.Errorf("%q, type %d, flags %d: %v", tc.name, tc.qtype, tc.f, s)
		}
	}
}

// Which queries are answered from the cache.
func TestKeyed(t *testing.T) {
	edns := func(do bool, options ...dns.EDNS0) func(*dns.Msg) {
		return func(m *dns.Msg) { m.SetEdns0(1232, do); m.IsEdns0().Option = options }
	}
	for what, tc := range map[string]struct {
		edit func(*dns.Msg)
		f    Flags
		ok   bool
	}{
		"plain":          {func(*dns.Msg) {}, 0, true},
		"EDNS":           {edns(false), 0, true},
		"DO":             {edns(true), DO, true},
		"CD":             {func(m *dns.Msg) { m.CheckingDisabled = true }, CD, true},
		"AD":             {func(m *dns.Msg) { m.AuthenticatedData = true }, AD, true},
		"DO and CD":      {func(m *dns.Msg) { edns(true)(m); m.CheckingDisabled = true }, DO | CD, true},
		"client subnet":  {edns(false, &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: net.IPv4(192, 0, 2, 0)}), 0, false},
		"unknown option": {edns(false, &dns.EDNS0_LOCAL{Code: dns.EDNS0LOCALSTART}), 0, false},
		"no recursion":   {func(m *dns.Msg) { m.RecursionDesired = false }, 0, false},
		"NOTIFY":         {func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }, 0, false},
		"TSIG":           {func(m *dns.Msg) { m.SetTsig("key.", dns.HmacSHA256, 300, 0) }, 0, false},
		"EDNS and TSIG":  {func(m *dns.Msg) { edns(false)(m); m.SetTsig("key.", dns.HmacSHA256, 300, 0) }, 0, false},
		"no question":    {func(m *dns.Msg) { m.Question = nil }, 0, false},
		"two questions":  {func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }, 0, false},
		"with an address": {func(m *dns.Msg) {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeA, Class: 1}}}
		}, 0, false},
	} {
		m := new(dns.Msg).SetQuestion("Wiki.corp.example.", dns.TypeA)
		tc.edit(m)
		msg, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		q, f, ok := Keyed(msg)
		if ok != tc.ok || ok && (f != tc.f || string(q) != string(wire.Question(msg))) {
			t.Errorf("%s: flags %d, ok %v", what, f, ok)
		}
	}
}

// Whatever the wall clock says, and whether or not the machine slept, what is over stays over.
func TestTwoClocks(t *testing.T) {
	slept := begun.Round(0).Add(time.Hour) // the monotonic clock stood still
	if d := Since(begun, slept); d != time.Hour {
		t.Errorf("after an hour's sleep %v", d)
	}
	if d := Since(begun.Round(0), slept); d != time.Hour {
		t.Errorf("by the wall clock %v", d)
	}
	if d := Since(begun, begun.Add(time.Minute)); d != time.Minute {
		t.Errorf("awake %v", d)
	}
}

// The cache keeps no more than it may, and says when one makes room for another.
func TestEntries(t *testing.T) {
	evicted := 0
	c := newCache(func(cfg *Config[string]) { cfg.Entries, cfg.Evicted = 2000, func() { evicted++ } })
	r := outcome(reply(t, dns.TypeA, 0, address), "one")
	const n = 5000
	for i := range n {
		c.Put(question(t, fmt.Sprintf("host%d.example", i), dns.TypeA), 0, r, begun)
	}
	if c.Len() > 2000 || c.Len() < 1000 || c.Len()+evicted != n {
		t.Errorf("%d are kept, and %d evicted", c.Len(), evicted)
	}
}

// Ten thousand answers of usual length, with all that belongs to them, take less than 16 MiB.
func TestMemory(t *testing.T) {
	c := newCache()
	used := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := used()
	for i := range 10_000 {
		msg := reply(t, dns.TypeA, 0, "wiki.corp.example. 300 IN CNAME front.provider.example.", "front.provider.example. 60 IN A 192.0.2.1",
			"front.provider.example. 60 IN A 192.0.2.2", "front.provider.example. 60 IN A 192.0.2.3", "authority", "provider.example. 300 IN NS ns.provider.example.")
		c.Put(question(t, fmt.Sprintf("host%d.department.corp.example", i), dns.TypeA), 0, outcome(msg, "one"), begun)
	}
	took := used() - before
	t.Logf("%d replies take %d bytes", c.Len(), took)
	if took > 16<<20 {
		t.Errorf("%d replies take %d bytes", c.Len(), took)
	}
	runtime.KeepAlive(c)
}

// What is asked for again because its end is near is so once.
func TestDue(t *testing.T) {
	c, q := newCache(), question(t, "wiki.corp.example", dns.TypeA)
	c.Put(q, 0, outcome(reply(t, dns.TypeA, 0, address), "one"), begun)
	for at, want := range map[time.Duration]bool{0: false, 269 * time.Second: false} {
		if e, age, _ := c.Get(q, 0, after(at)); e.Due(age) != want {
			t.Errorf("after %v: %v", at, !want)
		}
	}
	e, age, _ := c.Get(q, 0, after(270*time.Second))
	if !e.Due(age) || e.Due(age) {
		t.Error("in its last tenth it is not due once")
	}
	c.Put(q, 0, outcome(reply(t, dns.TypeA, 2), "one"), begun)
	if e, age, _ := c.Get(q, 0, after(999*time.Millisecond)); e.Due(age) {
		t.Error("a failure is due")
	}
}

// An extended error of the reply, and one of our own, are options for clients with EDNS.
func TestOptions(t *testing.T) {
	c, q := newCache(), question(t, "wiki.corp.example", dns.TypeA)
	r := outcome(withOPT(t, reply(t, dns.TypeA, 3), &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeBlocked, ExtraText: "blocked"}), "one")
	r.Error = AppendError(nil, dns.ExtendedErrorCodeNetworkError, "192.0.2.1:53: closed port")
	c.Put(q, 0, r, begun)
	e, _, state := c.Get(q, 0, begun)
	if state != Alive || wire.HasOPT(e.AppendTo(nil, 0)) {
		t.Fatalf("its state is %v", state)
	}
	opt := append([]byte{0, 0, 41, 4, 208, 0, 0, 0, 0, 0, byte(len(e.Options()))}, e.Options()...)
	rr, _, err := dns.UnpackRR(opt, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []uint16
	for _, o := range rr.(*dns.OPT).Option {
		codes = append(codes, o.(*dns.EDNS0_EDE).InfoCode)
	}
	if !slices.Equal(codes, []uint16{dns.ExtendedErrorCodeBlocked, dns.ExtendedErrorCodeNetworkError}) {
		t.Errorf("%v", codes)
	}
}

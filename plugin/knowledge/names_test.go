package knowledge

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// question asks for a name as packed by a client.
func question(t testing.TB, name string, qtype uint16) []byte {
	t.Helper()
	b, err := new(dns.Msg).SetQuestion(name, qtype).Pack()
	if err != nil {
		t.Fatal(err)
	}
	return wire.Question(b)
}

// reply has these records in answer and authority.
func reply(t testing.TB, answer, authority []string) []byte {
	t.Helper()
	m := new(dns.Msg).SetQuestion("host.example.", dns.TypeA)
	m.Response, m.RecursionAvailable, m.Compress = true, true, true
	for _, s := range answer {
		m.Answer = append(m.Answer, rr(t, s))
	}
	for _, s := range authority {
		m.Ns = append(m.Ns, rr(t, s))
	}
	m.SetEdns0(1232, true) // whose TTL is none
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rr(t testing.TB, s string) dns.RR {
	t.Helper()
	r, err := dns.NewRR(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	company = iota
	public
)

// says is that an upstream replies, some time after the beginning.
type says struct {
	after   time.Duration
	by      int
	name    string
	qtype   uint16
	verdict race.Verdict
	ttl     int
}

// hear has the names hear it.
func (n *Names) hear(t testing.TB, s says, begun time.Time) {
	t.Helper()
	soa := fmt.Sprintf("example. %d IN SOA . . 1 2 3 4 86400", s.ttl)
	msg := reply(t, []string{fmt.Sprintf("host.example. %d IN A 192.0.2.1", s.ttl)}, []string{soa})
	n.Replied(question(t, s.name, s.qtype), s.by, s.verdict, msg, begun.Add(s.after))
}

// asks is whether a name is taken to exist then.
type asks struct {
	after time.Duration
	name  string
	qtype uint16
	want  bool
}

const (
	s   = time.Second
	a   = dns.TypeA
	aa  = dns.TypeAAAA
	web = dns.TypeHTTPS
)

func TestR18Proof(t *testing.T) {
	for _, tc := range []struct {
		what  string
		steps []any // says and asks
	}{
		{"nothing is known", []any{asks{0, "host.example.", aa, false}}},
		{"a good answer proves other types", []any{
			says{0, company, "host.example.", a, race.Good, 60},
			asks{1, "host.example.", aa, true}, asks{1, "host.example.", web, true}, asks{1, "host.example.", dns.TypeANY, true},
			asks{1, "host.example.", a, false}}},
		{"NODATA does", []any{
			says{0, company, "host.example.", aa, race.NoDataSOA, 60},
			asks{1, "host.example.", a, true}, asks{1, "host.example.", aa, false}}},
		{"whatever the case", []any{
			says{0, company, "HoSt.example.", a, race.Good, 60}, asks{1, "hOsT.Example.", aa, true}}},
		{"another name is another name", []any{
			says{0, company, "host.example.", a, race.Good, 60},
			asks{1, "hosts.example.", aa, false}, asks{1, "example.", aa, false}, asks{1, "www.host.example.", aa, false}, asks{1, ".", aa, false}}},
		{"the root", []any{says{0, company, ".", dns.TypeNS, race.Good, 60}, asks{1, ".", a, true}}},
		{"as long as the TTL", []any{
			says{0, company, "host.example.", a, race.Good, 60},
			asks{60*s - 1, "host.example.", aa, true}, asks{60 * s, "host.example.", aa, false}}},
		{"a second at the least", []any{
			says{0, company, "host.example.", a, race.Good, 0},
			asks{s - 1, "host.example.", aa, true}, asks{s, "host.example.", aa, false}}},
		{"an hour at the most", []any{
			says{0, company, "host.example.", a, race.Good, 86400},
			asks{time.Hour - 1, "host.example.", aa, true}, asks{time.Hour, "host.example.", aa, false}}},
		{"others prove nothing", []any{
			says{0, company, "host.example.", a, race.NoData, 60},
			says{0, company, "host.example.", a, race.NXDomainChain, 60}, says{0, company, "host.example.", a, race.Bogus, 60},
			says{0, company, "host.example.", a, race.Truncated, 60}, says{0, company, "host.example.", a, race.ServFail, 60},
			says{0, company, "host.example.", a, race.None, 60}, asks{1, "host.example.", aa, false}}},
		{"another's denial does not end it", []any{
			says{0, company, "host.example.", a, race.Good, 60}, says{s, public, "host.example.", aa, race.NXDomainSOA, 60},
			asks{2 * s, "host.example.", aa, true}}},
		{"nor does its own, of another type", []any{
			says{0, company, "host.example.", a, race.Good, 60}, says{s, company, "HOST.example.", web, race.NXDomainSOA, 60},
			asks{2 * s, "host.example.", aa, true}, asks{60 * s, "host.example.", aa, false}}},
		{"its own of that type does", []any{
			says{0, company, "host.example.", a, race.Good, 60}, says{s, company, "HOST.example.", a, race.NXDomainSOA, 60},
			asks{2 * s, "host.example.", aa, false}}},
		{"also a bare one, after one of another type", []any{
			says{0, company, "host.example.", a, race.Good, 60}, says{s, company, "host.example.", aa, race.NXDomain, 60},
			says{s, company, "host.example.", a, race.NXDomain, 60}, asks{2 * s, "host.example.", aa, false}}},
		{"also of all that it has proven without an answer", []any{
			says{0, company, "host.example.", a, race.NoDataSOA, 60}, says{0, company, "host.example.", aa, race.NoDataSOA, 60},
			says{s, company, "host.example.", web, race.NXDomain, 60},
			asks{2 * s, "host.example.", web, false}, asks{2 * s, "host.example.", a, false}, asks{2 * s, "host.example.", aa, false}}},
		{"of two answers each ends by itself", []any{
			says{0, company, "host.example.", a, race.Good, 60}, says{0, company, "host.example.", aa, race.Good, 60},
			says{s, company, "host.example.", a, race.NXDomain, 60}, asks{2 * s, "host.example.", a, true}, asks{2 * s, "host.example.", aa, false},
			says{3 * s, company, "host.example.", aa, race.NXDomain, 60}, asks{4 * s, "host.example.", a, false}, asks{4 * s, "host.example.", web, false}}},
		{"what another has stays", []any{
			says{0, company, "host.example.", a, race.Good, 60}, says{0, public, "host.example.", aa, race.NoDataSOA, 60},
			says{s, company, "host.example.", a, race.NXDomain, 60},
			asks{2 * s, "host.example.", web, true}, asks{2 * s, "host.example.", aa, false}}},
		{"a chain to nowhere ends the answer of its type", []any{
			says{0, company, "host.example.", a, race.Good, 60}, says{s, company, "host.example.", a, race.NXDomainChain, 60},
			asks{2 * s, "host.example.", aa, false}}},
		{"and proves no less than before", []any{
			says{0, company, "host.example.", a, race.NoDataSOA, 60}, says{s, company, "host.example.", aa, race.NXDomainChain, 60},
			asks{2 * s, "host.example.", web, true}}},
		{"nor that of another name", []any{
			says{0, company, "host.example.", a, race.Good, 60}, says{s, company, "other.example.", a, race.NXDomain, 60},
			asks{2 * s, "host.example.", aa, true}}},
		{"a failure or a chain to nowhere does not end it", []any{
			says{0, company, "host.example.", a, race.Good, 60},
			says{s, company, "host.example.", aa, race.Refused, 0}, says{s, company, "host.example.", aa, race.NXDomainChain, 60},
			asks{2 * s, "host.example.", aa, true}}},
		{"of two types each proves the other", []any{
			says{0, company, "host.example.", a, race.Good, 60}, says{0, company, "host.example.", aa, race.NoDataSOA, 60},
			asks{1, "host.example.", a, true}, asks{1, "host.example.", aa, true}, asks{1, "host.example.", web, true}}},
		{"a third type takes the place of the one that ends first", []any{
			says{0, company, "host.example.", a, race.Good, 60}, says{0, company, "host.example.", aa, race.Good, 10},
			says{0, company, "host.example.", web, race.Good, 30},
			asks{20 * s, "host.example.", a, true}, asks{40 * s, "host.example.", a, false}, asks{40 * s, "host.example.", web, true}}},
		{"unless it ends sooner yet", []any{
			says{0, company, "host.example.", a, race.Good, 60}, says{0, company, "host.example.", aa, race.Good, 50},
			says{0, company, "host.example.", web, race.Good, 5},
			asks{40 * s, "host.example.", a, true}, asks{40 * s, "host.example.", aa, true}}},
		{"the same upstream's newer word counts", []any{
			says{0, company, "host.example.", a, race.Good, 60}, says{s, company, "host.example.", a, race.Good, 2},
			asks{2 * s, "host.example.", aa, true}, asks{3 * s, "host.example.", aa, false}}},
		{"another's shorter one does not", []any{
			says{0, company, "host.example.", a, race.Good, 60}, says{s, public, "host.example.", a, race.Good, 2},
			asks{10 * s, "host.example.", aa, true}, asks{10 * s, "host.example.", a, false}}},
		{"what is over makes room", []any{
			says{0, company, "host.example.", a, race.Good, 5}, says{6 * s, public, "host.example.", a, race.Good, 5},
			asks{10 * s, "host.example.", aa, true}, asks{11 * s, "host.example.", aa, false}}},
	} {
		t.Run(tc.what, func(t *testing.T) {
			var n Names
			begun := time.Now()
			for i, step := range tc.steps {
				switch step := step.(type) {
				case says:
					n.hear(t, step, begun)
				case asks:
					if got := n.Exists(question(t, step.name, step.qtype), begun.Add(step.after)); got != step.want {
						t.Errorf("step %d, %+v: exists %v", i, step, got)
					}
				}
			}
		})
	}
}

// R7: NODATA is of a name that exists if an answer of another type is alive. NODATA and the
// alias of a chain that ends in it prove that the name exists, but are no answers; they never
// take the place of one that is alive.
func TestR7Answered(t *testing.T) {
	for _, tc := range []struct {
		what  string
		steps []any // says and asks
	}{
		{"an answer is one", []any{
			says{0, company, "host.example.", a, race.Good, 60},
			asks{59 * s, "HOST.example.", aa, true}, asks{60 * s, "host.example.", aa, false}, asks{1, "host.example.", a, false}}},
		{"NODATA is none", []any{
			says{0, company, "host.example.", aa, race.NoDataSOA, 60}, says{0, company, "host.example.", web, race.NoDataSOA, 60},
			asks{1, "host.example.", aa, false}, asks{1, "host.example.", web, false}, asks{1, "host.example.", a, false}}},
		{"NODATA that lives longer takes no place of an answer", []any{
			says{0, company, "host.example.", aa, race.NoDataSOA, 600}, says{0, company, "host.example.", a, race.Good, 60},
			says{1, company, "host.example.", web, race.NoDataSOA, 6000}, says{2, company, "host.example.", dns.TypeMX, race.NoDataSOA, 9000},
			asks{59 * s, "host.example.", aa, true}, asks{60 * s, "host.example.", aa, false}}},
		{"an answer takes the place of NODATA that lives longer", []any{
			says{0, company, "host.example.", aa, race.NoDataSOA, 600}, says{0, company, "host.example.", web, race.NoDataSOA, 600},
			says{1, company, "host.example.", a, race.Good, 60}, asks{s, "host.example.", aa, true}}},
		{"the same upstream's denial of that type ends it", []any{
			says{0, company, "host.example.", a, race.Good, 60}, says{s, company, "host.example.", a, race.NXDomainSOA, 60},
			asks{2 * s, "host.example.", aa, false}}},
		{"that of another does not", []any{
			says{0, company, "host.example.", a, race.Good, 60}, says{s, company, "host.example.", web, race.NXDomainSOA, 60},
			asks{2 * s, "host.example.", aa, true}}},
		{"so does its NODATA of that type", []any{
			says{0, company, "host.example.", a, race.Good, 60}, says{s, company, "host.example.", a, race.NoDataSOA, 60},
			asks{2 * s, "host.example.", aa, false}}},
	} {
		t.Run(tc.what, func(t *testing.T) {
			var n Names
			begun := time.Now()
			for i, step := range tc.steps {
				switch step := step.(type) {
				case says:
					n.hear(t, step, begun)
				case asks:
					if got := n.Answered(question(t, step.name, step.qtype), begun.Add(step.after)); got != step.want {
						t.Errorf("step %d, %+v: answered %v", i, step, got)
					}
				}
			}
		})
	}
	var n Names
	now := time.Now()
	n.Replied(question(t, "host.example.", dns.TypeA), company, race.Alias, reply(t, []string{"host.example. 60 IN CNAME gone.example."}, []string{"example. 60 IN SOA . . 1 2 3 4 5"}), now)
	if aaaa := question(t, "host.example.", dns.TypeAAAA); n.Answered(aaaa, now) || !n.Exists(aaaa, now) {
		t.Error("an alias of what has no record of the type is not what it should be: a proof, and no answer")
	}
}

func TestLifetime(t *testing.T) {
	const s = time.Second
	for _, tc := range []struct {
		what              string
		verdict           race.Verdict
		answer, authority []string
		want              time.Duration
	}{
		{"the least of an answer", race.Good, []string{"host.example. 60 IN CNAME x.example.", "x.example. 20 IN A 192.0.2.1", "x.example. 30 IN A 192.0.2.2"}, nil, 20 * s},
		{"the authority beside it does not count", race.Good, []string{"host.example. 60 IN A 192.0.2.1"}, []string{"example. 5 IN NS ns.example."}, 60 * s},
		{"a TTL without sense", race.Good, []string{"host.example. 4294967295 IN A 192.0.2.1"}, nil, s},
		{"the SOA's own", race.NoDataSOA, nil, []string{"example. 20 IN SOA . . 1 2 3 4 60"}, 20 * s},
		{"the SOA's minimum", race.NoDataSOA, nil, []string{"example. 60 IN SOA . . 1 2 3 4 20"}, 20 * s},
		{"the SOA among others", race.NoDataSOA, nil, []string{"example. 5 IN NS ns.example.", "example. 60 IN SOA . . 1 2 3 4 30", "example. 5 IN TXT x"}, 30 * s},
	} {
		if got, ok := lifetime(reply(t, tc.answer, tc.authority), tc.verdict); got != tc.want || !ok {
			t.Errorf("%s: %v, %v, want %v", tc.what, got, ok, tc.want)
		}
	}
	// Half an answer may lack the record that lives shortest.
	whole := reply(t, []string{"host.example. 60 IN A 192.0.2.1", "host.example. 5 IN A 192.0.2.2"}, nil)
	if _, ok := lifetime(whole[:len(whole)-20], race.Good); ok {
		t.Error("a reply that is cut short proves something")
	}
}

// A proof is over when it is over by either clock, whatever the other says.
func TestClocks(t *testing.T) {
	now := instantOf(time.Now())
	p := proof{ends: now.add(time.Minute)}
	for _, tc := range []struct {
		what      string
		ran, wall time.Duration
		alive     bool
	}{
		{"in time", 59 * time.Second, 59 * time.Second, true},
		{"the wall clock was set back", time.Minute, -time.Hour, false},
		{"the wall clock was set forward", time.Second, time.Hour, false},
		{"the machine slept", time.Second, 2 * time.Minute, false},
		{"the wall clock was set back a little", time.Second, -time.Hour, true},
	} {
		if got := p.alive(instant{now.ran + tc.ran, now.wall + int64(tc.wall)}); got != tc.alive {
			t.Errorf("%s: alive %v", tc.what, got)
		}
	}
}

// However many names come, the table stays as large as it is, keeps as many as it has
// places, and makes room by dropping what ends soonest.
func TestBounded(t *testing.T) {
	var n Names
	now := time.Now()
	long, short := reply(t, []string{"x. 3600 IN A 192.0.2.1"}, nil), reply(t, []string{"x. 60 IN A 192.0.2.1"}, nil)
	name := func(kind string, i int) []byte { return question(t, fmt.Sprintf("%s%d.example.", kind, i), dns.TypeA) }
	const few, places = 200, shards * sets * ways
	for i := range few {
		n.Replied(name("long", i), company, race.Good, long, now)
	}
	for i := range 4 * places {
		n.Replied(name("short", i), company, race.Good, short, now)
	}
	count := func(kind string, of int) (known int) {
		for i := range of {
			q := name(kind, i)
			q[len(q)-3] = byte(dns.TypeAAAA)
			if n.Exists(q, now) {
				known++
			}
		}
		return known
	}
	if got := count("long", few); got != few {
		t.Errorf("of %d names that live long %d are known", few, got)
	}
	if got := count("short", 4*places); got > places-few || got < places-few-places/100 {
		t.Errorf("%d others are known, in %d places", got, places)
	}
	const longest = 255 // of a name (RFC 1035, section 2.3.4)
	bytes := unsafe.Sizeof(n) + shards*sets*unsafe.Sizeof(nameSet{}) + places*(unsafe.Sizeof(known{})+longest)
	if bytes > 4_500_000 {
		t.Errorf("it takes %d bytes", bytes)
	}
	t.Logf("%d names, %d bytes at most", places, bytes)
}

// The table takes nothing before there is something to remember, and grows with that: many
// server blocks have one each.
func TestGrows(t *testing.T) {
	var n Names
	now := time.Now()
	good := reply(t, []string{"x. 60 IN A 192.0.2.1"}, nil)
	empty := int64(unsafe.Sizeof(n))
	if empty > 4096 {
		t.Errorf("an empty table takes %d bytes", empty)
	}
	n.Replied(question(t, "none.example.", dns.TypeA), company, race.NXDomain, nil, now)
	n.Exists(question(t, "none.example.", dns.TypeA), now)
	if got := heldBy(&n); got != 0 {
		t.Errorf("after a denial it holds %d bytes", got)
	}
	for _, names := range []int{1, 10, 200, 2000} {
		for i := range names {
			n.Replied(question(t, fmt.Sprintf("host%d.example.", i), dns.TypeA), company, race.Good, good, now)
		}
		shardsUsed := min(names, shards)
		if got, most := heldBy(&n), 300*names+1100*shardsUsed; got > most {
			t.Errorf("%d names take %d bytes, want %d at most", names, got, most)
		}
	}
}

// heldBy is the bytes that a table has allocated.
func heldBy(n *Names) (bytes int) {
	for i := range n.shards {
		s := &n.shards[i]
		if s.sets == nil {
			continue
		}
		bytes += int(unsafe.Sizeof(*s.sets))
		for _, set := range s.sets {
			for _, k := range set {
				if k != nil {
					bytes += int(unsafe.Sizeof(*k)) + len(k.name)
				}
			}
		}
	}
	return bytes
}

func TestConcurrent(t *testing.T) {
	var n Names
	good := reply(t, []string{"x. 60 IN A 192.0.2.1"}, nil)
	var all sync.WaitGroup
	for by := range 4 {
		var questions [][]byte
		for i := range 50 {
			questions = append(questions, question(t, fmt.Sprintf("host%d.example.", i), uint16(1+by)))
		}
		all.Go(func() {
			for range 5000 {
				q := questions[rand.IntN(len(questions))]
				switch rand.IntN(3) {
				case 0:
					n.Replied(q, by, race.Good, good, time.Now())
				case 1:
					n.Replied(q, by, race.NXDomain, nil, time.Now())
				case 2:
					n.Exists(q, time.Now())
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkReplied is what a race pays for a good answer, and for a denial.
func BenchmarkReplied(b *testing.B) {
	var n Names
	good := reply(b, []string{"host.example. 60 IN A 192.0.2.1", "host.example. 60 IN A 192.0.2.2"}, nil)
	now := time.Now()
	for _, known := range []int{1, 100 * shards * sets * ways} {
		var questions [][]byte
		for i := range min(known, 1<<16) {
			questions = append(questions, question(b, fmt.Sprintf("host%d.example.", i), dns.TypeA))
		}
		for _, verdict := range []race.Verdict{race.Good, race.NXDomainSOA} {
			b.Run(fmt.Sprintf("%v,names=%d", verdict, len(questions)), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					n.Replied(questions[i%len(questions)], company, verdict, good, now)
				}
			})
		}
	}
}

// R18: an answer is doubtful if who gave it denies the name for another type; not if another
// does, or it is over, or is none.
func TestR18Doubtful(t *testing.T) {
	const a, aa, web = dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS
	good, noData := reply(t, []string{"host.example. 60 IN A 192.0.2.1"}, nil), reply(t, nil, []string{"example. 60 IN SOA . . 1 2 3 4 60"})
	for _, tc := range []struct {
		what    string
		before  race.Verdict
		by      int // who denies it
		qtype   uint16
		verdict race.Verdict
		after   time.Duration
		want    uint16
	}{
		{"its giver denies another type", race.Good, company, aa, race.NXDomainSOA, time.Second, a},
		{"without SOA", race.Good, company, web, race.NXDomain, time.Second, a},
		{"at the end of aliases", race.Good, company, aa, race.NXDomainChain, time.Second, a},
		{"it has none of another type", race.Good, company, aa, race.NoDataSOA, time.Second, 0},
		{"it fails", race.Good, company, aa, race.ServFail, time.Second, 0},
		{"it denies that type", race.Good, company, a, race.NXDomainSOA, time.Second, 0},
		{"another denies it", race.Good, public, aa, race.NXDomainSOA, time.Second, 0},
		{"it is over", race.Good, company, aa, race.NXDomainSOA, time.Minute, 0},
		{"it was no answer", race.NoDataSOA, company, aa, race.NXDomainSOA, time.Second, 0},
		{"it was an alias only", race.Alias, company, aa, race.NXDomainSOA, time.Second, 0},
	} {
		var n Names
		now := time.Now()
		n.Replied(question(t, "host.example.", a), company, tc.before, map[bool][]byte{true: good, false: noData}[tc.before.Wins()], now)
		if got := n.Replied(question(t, "HOST.example.", tc.qtype), tc.by, tc.verdict, noData, now.Add(tc.after)); got != tc.want {
			t.Errorf("%s: doubtful is type %d, want %d", tc.what, got, tc.want)
		}
	}
	// Of two who gave it each makes it doubtful, also if the other's lives longer.
	var n Names
	now := time.Now()
	n.Replied(question(t, "host.example.", a), company, race.Good, good, now)
	n.Replied(question(t, "host.example.", a), public, race.Good, reply(t, []string{"host.example. 600 IN A 192.0.2.1"}, nil), now)
	for _, by := range []int{company, public} {
		if got := n.Replied(question(t, "host.example.", aa), by, race.NXDomain, nil, now); got != a {
			t.Errorf("by %d: doubtful is type %d", by, got)
		}
	}
}

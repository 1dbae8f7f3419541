package knowledge

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/miekg/dns"
)

const age = 10 * time.Minute

// who lists the upstreams of a set.
func who(s Set) string {
	var list []int
	for i := range MaxUpstreams {
		if s.Has(i) {
			list = append(list, i)
		}
	}
	return fmt.Sprint(list)
}

// A story is told word by word: "good 1 NAME", "miss 0 1 NAME" (who, winner), "own 0 1 NAME"
// (the same for a name that it has answered), "moved 0 1 NAME" (and as the winner does now),
// "fail 0 1 NAME", "slow 0 1 NAME" (likewise a name of its own), "same 0 1 NAME", "apart 0 1
// NAME", "wait DURATION", "back"; "knows NAME", "lately NAME", "lead NAME", "surveyed NAME"
// give what is known then.
func tell(t *testing.T, z *Zones, story string) (got string) {
	t.Helper()
	var a, b int
	var name string
	for line := range strings.SplitSeq(story, ";") {
		words := strings.Fields(line)
		now := time.Now()
		name = words[len(words)-1]
		q := func() []byte { return question(t, name, dns.TypeA) }
		fmt.Sscan(strings.Join(words[1:], " "), &a, &b)
		miss, isMiss := map[string]Miss{
			"miss": {Denied: true}, "own": {Denied: true, Own: true}, "moved": {Denied: true, Own: true, Alike: true},
			"fail": {Own: true}, "slow": {Silent: true, Own: true}, "late": {Silent: true},
		}[words[0]]
		difference, isCompared := map[string]Difference{"same": Alike, "apart": Apart, "opposed": Opposed}[words[0]]
		switch {
		case isMiss:
			z.Missed(q(), a, b, miss, now)
			continue
		case isCompared:
			z.Compared(q(), a, b, difference, now)
			continue
		}
		switch words[0] {
		case "good":
			z.Good(q(), a, false, now)
		case "wait":
			d, err := time.ParseDuration(name)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(d)
		case "back":
			z.Returned(now)
		case "knows":
			got += who(z.Standing(q(), now).Knows)
		case "lately":
			got += who(z.Standing(q(), now).Lately)
		case "replies":
			got += who(z.Standing(q(), now).Replied)
		case "lead":
			got += fmt.Sprint(z.Standing(q(), now).Lead)
		case "alone":
			got += fmt.Sprint(z.Standing(q(), now).Alone)
		case "surveyed":
			got += fmt.Sprint(z.Enter(q(), now).Surveyed)
		default:
			t.Fatal(line)
		}
	}
	return got
}

// R16: who knows a zone.
func TestR16Zones(t *testing.T) {
	for _, tc := range []struct{ what, story, want string }{
		{"nothing is known", "knows a.x.; lead a.x.; surveyed a.x.", "[]-1false"},
		{"the first good answer is enough", "good 1 a.x.; knows b.x.; lead b.x.", "[1]1"},
		{"in any case of letters", "good 1 a.X.; knows b.x.", "[1]"},
		{"of this zone", "good 1 a.x.; knows a.y.; knows x.; knows .", "[][][]"},

		{"who comes later agrees with a knower", "good 1 a.x.; good 0 a.x.; knows a.x.; same 1 0 a.x.; knows a.x.; lead a.x.", "[1][0 1]1"},
		{"whoever of them was faster", "good 1 a.x.; good 0 a.x.; same 0 1 a.x.; knows a.x.; lead a.x.", "[0 1]1"},
		{"or with one that does", "good 1 a.x.; good 0 a.x.; same 0 1 a.x.; good 2 b.x.; same 2 0 b.x.; knows a.x.", "[0 1 2]"},
		{"two that are none make no knower", "good 1 a.x.; good 0 b.x.; good 2 b.x.; same 0 2 b.x.; knows a.x.", "[1]"},
		{"answers of its own make none, however many", "good 1 a.x.; good 0 b.x.; good 0 c.x.; good 0 d.x.; good 0 e.x.; good 0 f.x.; knows a.x.; lead a.x.", "[1]1"},
		{"nor do other answers", "good 1 a.x.; good 0 a.x.; apart 1 0 a.x.; knows a.x.", "[1]"},
		{"who is found to answer otherwise is none any more", "good 1 a.x.; good 0 a.x.; same 1 0 a.x.; opposed 0 1 b.x.; knows a.x.; lead a.x.", "[1]1"},
		{"one rotation is not otherwise", "good 1 a.x.; good 0 a.x.; same 1 0 a.x.; apart 0 1 b.x.; knows a.x.", "[0 1]"},
		{"three are", "good 1 a.x.; good 0 a.x.; same 1 0 a.x.; apart 0 1 b.x.; apart 0 1 b.x.; apart 0 1 b.x.; knows a.x.", "[1]"},

		{"a denial of made-up names costs nothing", "good 1 a.x.; good 0 b.x.; miss 1 0 b.x.; good 0 c.x.; miss 1 0 c.x.; good 0 d.x.; miss 1 0 d.x.; knows a.x.; lead a.x.", "[1]1"},
		{"nor does silence to them", "good 1 a.x.; late 1 0 b.x.; late 1 0 c.x.; late 1 0 d.x.; knows a.x.; lead a.x.", "[1]1"},
		{"a denial of its only name does", "good 1 a.x.; good 0 a.x.; own 1 0 a.x.; knows a.x.; lead a.x.", "[]-1"},
		{"then the next one leads", "good 1 a.x.; good 0 a.x.; own 1 0 a.x.; good 0 b.x.; knows a.x.; lead a.x.", "[0]0"},
		{"be it the same", "good 1 a.x.; good 0 a.x.; own 1 0 a.x.; good 1 b.x.; good 1 b.x.; knows a.x.; lead a.x.", "[1]1"},
		{"where many were answered, of two names", "good 1 a.x.; good 1 b.x.; good 1 c.x.; good 0 b.x.; own 1 0 b.x.; good 0 b.x.; knows a.x.; own 1 0 a.x.; knows a.x.", "[1][]"},
		{"what moves is known at once", "good 1 a.x.; good 1 a.x.; good 1 a.x.; good 0 a.x.; moved 1 0 a.x.; knows a.x.; lead a.x.", "[0 1]0"},
		{"silence counts less", "good 1 a.x.; good 1 a.x.; slow 1 0 a.x.; knows a.x.; slow 1 0 a.x.; knows a.x.; lead a.x.", "[1][]1"},
		{"who fails leads again when it answers", "good 1 a.x.; fail 1 0 a.x.; knows a.x.; good 0 b.x.; good 0 c.x.; knows a.x.; lead a.x.; good 1 a.x.; good 1 a.x.; knows a.x.", "[][]1[1]"},
		{"who alternates is no knower", "good 1 a.x.; good 0 b.x.; own 1 0 b.x.; good 1 a.x.; own 0 1 a.x.; knows a.x.; good 0 b.x.; own 1 0 b.x.; knows a.x.", "[][]"},
		{"the leader knows more than others", "good 1 a.x.; good 0 a.x.; same 1 0 a.x.; alone a.x.; good 1 b.x.; miss 0 1 b.x.; alone a.x.; knows a.x.", "falsetrue[0 1]"},
		{"others do not", "good 1 a.x.; good 0 a.x.; same 1 0 a.x.; good 0 b.x.; miss 1 0 b.x.; alone a.x.; knows a.x.; lead a.x.", "false[0 1]1"},

		{"a zone below", "good 1 a.x.y.; knows b.c.x.y.; surveyed b.c.x.y.", "[1]true"},
		{"not that of several", "good 1 a.x.y.; good 0 a.x.y.; knows b.c.x.y.", "[]"},
		{"nor the root", "good 1 x.; knows y.; knows a.y.", "[1][]"},
		{"the sole knower needs no more places", "good 1 a.x.y.; good 1 b.c.x.y.; good 0 d.x.y.; knows b.c.x.y.", "[]"},
		{"another gets one, which is the first's for a while", "good 1 a.x.y.; good 0 b.c.x.y.; knows e.c.x.y.; lead e.c.x.y.; knows b.x.y.", "[1]1[1]"},
		{"and its own if that has nothing there", "good 1 a.x.y.; good 0 b.c.x.y.; wait 1h; good 0 d.c.x.y.; knows e.c.x.y.; lead e.c.x.y.", "[0]0"},
		{"that of one that others answer in, too, if they deny names in it", "good 1 a.x.y.; good 0 b.x.y.; miss 2 1 a.x.y.; knows b.c.x.y.", "[1]"},
		{"not if they know it", "good 1 a.x.y.; good 0 a.x.y.; miss 2 1 a.x.y.; same 0 1 a.x.y.; knows b.c.x.y.", "[]"},

		{"age", "good 1 a.x.; wait 599s; knows a.x.; surveyed a.x.; wait 2s; knows a.x.; surveyed a.x.; lately a.x.", "[1]true[]false[1]"},
		{"for an hour it is known who knew", "good 1 a.x.; wait 3599s; lately a.x.; wait 2s; lately a.x.", "[1][]"},
		{"for a day who led", "good 1 a.x.; wait 23h; good 0 b.x.; knows a.x.; lead a.x.; good 1 a.x.; knows a.x.; wait 24h; good 0 b.x.; lead a.x.", "[]1[1]0"},
		{"a survey counts until somebody returns", "good 1 a.x.; surveyed a.x.; wait 1s; back; wait 1s; surveyed a.x.; surveyed a.x.", "truefalsetrue"},
		{"whoever replies has replied", "good 1 a.x.; replies a.x.; miss 0 1 a.x.; slow 2 1 a.x.; replies a.x.; knows a.x.", "[1][0 1][1]"},
		{"a miss makes no zone", "miss 0 1 a.x.; replies a.x.", "[]"},
		{"who is beyond the bound is not known", "good 64 a.x.; good 70 a.x.; own 64 1 a.x.; knows a.x.; good 2 a.x.; own 2 64 a.x.; knows a.x.", "[][2]"},
	} {
		synctest.Test(t, func(t *testing.T) {
			z := NewZones(100, age)
			if got := tell(t, z, tc.story); got != tc.want {
				t.Errorf("%s: %s, want %s", tc.what, got, tc.want)
			}
		})
	}
}

// R16: the types of a name that are asked within a moment are of one survey, or of none.
func TestR16OneDraw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := NewZones(2, age)
		z.Good(question(t, "a.x.", dns.TypeA), 1, false, time.Now())
		all := 0
		for i := range 500 {
			name := fmt.Sprintf("n%d.x.", i)
			first := z.Enter(question(t, name, dns.TypeHTTPS), time.Now())
			for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
				time.Sleep(time.Millisecond)
				if s := z.Enter(question(t, strings.ToUpper(name), qtype), time.Now()); s.Surveyed != first.Surveyed || who(s.Knows) != "[1]" {
					t.Fatalf("question %d: surveyed %v, and then for type %d %v", i, first.Surveyed, qtype, s.Surveyed)
				}
			}
			if !first.Surveyed {
				all++
			}
		}
		if all != 10 {
			t.Errorf("%d of 500 names were asked of everybody", all)
		}
		q := func(qtype uint16) []byte { return question(t, "last.x.", qtype) }
		z.Enter(q(dns.TypeA), time.Now())
		z.Returned(time.Now().Add(time.Nanosecond))
		time.Sleep(time.Millisecond)
		if z.Enter(q(dns.TypeAAAA), time.Now()).Surveyed {
			t.Error("somebody has returned")
		}
		if z.Enter(q(dns.TypeHTTPS), time.Now()).Surveyed {
			t.Error("it is still that survey")
		}
		time.Sleep(oneDraw)
		if !z.Enter(q(dns.TypeAAAA), time.Now()).Surveyed {
			t.Error("a moment has passed")
		}
	})
}

// R16: one race in fifty asks everybody.
func TestR16Survey(t *testing.T) {
	z := NewZones(2, age)
	z.Good(question(t, "a.x.", dns.TypeA), 1, false, time.Now())
	all := 0
	for i := range 1000 {
		if s := z.Enter(question(t, fmt.Sprintf("n%d.x.", i), dns.TypeA), time.Now()); !s.Surveyed {
			all++
		}
	}
	if all != 20 {
		t.Errorf("%d of 1000 ask everybody", all)
	}
}

// R17: what makes answers differ, and for how long.
func TestR17Compared(t *testing.T) {
	for _, tc := range []struct {
		what   string
		shown  []Difference
		turned int // -1: never
		differ string
	}{
		{"nothing to compare", []Difference{Incomparable, Incomparable, Incomparable, Incomparable}, -1, "[]"},
		{"alike", []Difference{Alike, Alike, Alike, Alike}, -1, "[]"},
		{"private against public", []Difference{Alike, Opposed, Opposed, Alike, Alike}, 1, "[0 2]"},
		{"apart, once or twice", []Difference{Apart, Apart, Alike, Apart, Apart}, -1, "[]"},
		{"apart, repeatedly", []Difference{Apart, Apart, Apart, Apart}, 2, "[0 2]"},
	} {
		synctest.Test(t, func(t *testing.T) {
			z := NewZones(3, age)
			q := question(t, "a.x.", dns.TypeA)
			z.Good(q, 0, true, time.Now())
			z.Good(q, 2, false, time.Now())
			for i, d := range tc.shown {
				if got := z.Compared(q, 2, 0, d, time.Now()); got != (i == tc.turned) {
					t.Errorf("%s: after %d comparisons turned is %v", tc.what, i+1, got)
				}
			}
			s := z.Standing(question(t, "b.x.", dns.TypeAAAA), time.Now())
			if got := who(s.Differ); got != tc.differ || who(s.Private) != "[0]" {
				t.Errorf("%s: %s differ, %s private", tc.what, got, who(s.Private))
			}
			time.Sleep(memory + time.Second)
			if s := z.Standing(q, time.Now()); s.Differ != 0 {
				t.Errorf("%s: %s differ after an hour", tc.what, who(s.Differ))
			}
			if z.Compared(question(t, "a.y.", dns.TypeA), 2, 0, Opposed, time.Now()) {
				t.Errorf("%s: a zone that is not known has turned", tc.what)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	const a = "host.example. 60 IN A "
	const aaaa = "host.example. 60 IN AAAA "
	for _, tc := range []struct {
		what string
		a, b []string
		want Difference
	}{
		{"the same", []string{a + "192.0.2.1"}, []string{a + "192.0.2.1"}, Alike},
		{"rotation", []string{a + "192.0.2.1", a + "198.51.100.1"}, []string{a + "198.51.100.1", a + "192.0.2.1"}, Alike},
		{"one in common", []string{a + "10.0.0.1", a + "10.0.0.2"}, []string{a + "10.0.0.2", a + "192.0.2.1"}, Alike},
		{"near each other", []string{a + "192.0.2.1"}, []string{a + "192.0.77.1"}, Alike},
		{"the same behind a name", []string{"host.example. 60 IN CNAME x.example.", "x.example. 60 IN A 192.0.2.1"}, []string{a + "192.0.2.1"}, Alike},
		{"apart", []string{a + "192.0.2.1"}, []string{a + "198.51.100.1"}, Apart},
		{"both private", []string{a + "10.1.0.1"}, []string{a + "10.2.0.1"}, Apart},
		{"both private and near", []string{a + "10.1.0.1"}, []string{a + "10.1.0.2"}, Apart},
		{"private against public", []string{a + "10.1.0.1"}, []string{a + "192.0.2.1"}, Opposed},
		{"public against private", []string{a + "192.0.2.1"}, []string{a + "172.16.0.1"}, Opposed},
		{"of carriers", []string{a + "192.0.2.1"}, []string{a + "100.64.0.1"}, Opposed},
		{"IPv6", []string{aaaa + "2001:db8::1"}, []string{aaaa + "fd00::1"}, Opposed},
		{"IPv6, near", []string{aaaa + "2001:db8::1"}, []string{aaaa + "2001:db8:1::1"}, Alike},
		{"loopback is nobody's", []string{a + "127.0.0.1"}, []string{a + "192.0.2.1"}, Apart},
		{"no addresses", []string{"host.example. 60 IN MX 1 x.example."}, []string{a + "192.0.2.1"}, Incomparable},
		{"no answer", nil, nil, Incomparable},
	} {
		if got := Compare(reply(t, tc.a, nil), reply(t, tc.b, nil)); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.what, got, tc.want)
		}
		if got := Compare(reply(t, tc.b, nil), reply(t, tc.a, nil)); got != tc.want {
			t.Errorf("%s, the other way round: %v, want %v", tc.what, got, tc.want)
		}
	}
}

// However many zones are asked for, memory has a bound; what is in use stays.
func TestR15Bounded(t *testing.T) {
	z := NewZones(3, age)
	mine := question(t, "host.corp.example.", dns.TypeA)
	z.Good(mine, 1, false, time.Now())
	const most = zoneShards * zonePlaces
	for i := range 5 * most {
		z.Good(question(t, fmt.Sprintf("a.z%d.example.", i), dns.TypeA), 0, false, time.Now())
		z.Enter(mine, time.Now())
	}
	if s := z.Standing(mine, time.Now()); who(s.Knows) != "[1]" {
		t.Errorf("a zone in use was forgotten: %+v", s)
	}
	if n := z.Len(); n > most || n < most*3/4 {
		t.Errorf("%d zones are known", n)
	}
	for i := range 100000 { // a flood below a zone that is known
		z.Good(question(t, fmt.Sprintf("a%d.b%d.corp.example.", i, i), dns.TypeA), 1, false, time.Now())
	}
	if n := z.Len(); n > most {
		t.Errorf("%d zones are known", n)
	}
	if size, most := unsafe.Sizeof(*z)+most*(unsafe.Sizeof(zone{})+unsafe.Sizeof(&zone{})+255), uintptr(1_430_000); size > most {
		t.Errorf("the zones take %d bytes", size)
	}
	if size := most * unsafe.Sizeof(tally{}); size > 100_000 {
		t.Errorf("an upstream takes %d bytes", size)
	}
}

// A flood below a zone with one knower costs no zone, and one of addresses of an IPv6
// network costs one.
func TestFlood(t *testing.T) {
	z := NewZones(3, age)
	z.Good(question(t, "host.corp.example.", dns.TypeA), 1, false, time.Now())
	for i := range 1000 {
		z.Good(question(t, fmt.Sprintf("a%d.b%d.corp.example.", i, i), dns.TypeA), 1, false, time.Now())
	}
	if z.Len() != 1 {
		t.Errorf("%d zones are known", z.Len())
	}
	for i := range 1000 {
		name, err := dns.ReverseAddr(fmt.Sprintf("2001:db8::%x:%x", rand.Uint32N(1<<16), i))
		if err != nil {
			t.Fatal(err)
		}
		z.Good(question(t, name, dns.TypePTR), 0, false, time.Now())
	}
	if z.Len() != 2 {
		t.Errorf("%d zones are known", z.Len())
	}
}

// Whatever is told in whatever order: who knows has given a good answer within the age,
// and later than two misses ago.
func TestR16Property(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const upstreams = 4
		names := []string{"a.x.", "b.x.", "a.b.x.", "c.b.x.", "a.y.", "y.", "A.Y."}
		for range 200 {
			z := NewZones(upstreams, age)
			last := make(map[int]time.Time) // good answer by upstream, anywhere
			for range 100 {
				q := question(t, names[rand.IntN(len(names))], dns.TypeA)
				by, now := rand.IntN(upstreams), time.Now()
				switch rand.IntN(6) {
				case 0, 1:
					z.Good(q, by, false, now)
					last[by] = now
				case 2:
					z.Missed(q, by, rand.IntN(upstreams), Miss{rand.IntN(2) == 0, rand.IntN(2) == 0, rand.IntN(2) == 0, rand.IntN(2) == 0}, now)
					if rand.IntN(2) == 0 {
						own := Miss{Denied: rand.IntN(2) == 0, Own: true, Alike: rand.IntN(2) == 0}
						z.Missed(q, by, rand.IntN(upstreams), own, now)
						z.Missed(q, by, rand.IntN(upstreams), own, now)
						if z.Standing(q, now).Knows.Has(by) {
							t.Error("two misses in a row, and it is a knower")
						}
					}
				case 3:
					z.Returned(now)
				case 4:
					time.Sleep(time.Duration(rand.IntN(300)) * time.Second)
				case 5:
					z.Compared(q, by, rand.IntN(upstreams), Difference(rand.IntN(4)), now)
				}
				s := z.Enter(q, time.Now())
				for i := range upstreams {
					if s.Knows.Has(i) && (last[i].IsZero() || time.Since(last[i]) > age) {
						t.Fatalf("upstream %d is a knower; its last good answer was at %v", i, last[i])
					}
					if s.Lately.Has(i) && last[i].IsZero() {
						t.Fatalf("upstream %d never answered", i)
					}
				}
				if s.Lead >= upstreams || s.Lead >= 0 && last[s.Lead].IsZero() {
					t.Fatalf("the lead is %d", s.Lead)
				}
			}
		}
	})
}

// No name of a question confuses the table.
func FuzzZones(f *testing.F) {
	f.Add("host.corp.example.", uint8(1))
	f.Add(".", uint8(0))
	f.Add(strings.Repeat("a.", 126), uint8(63))
	f.Fuzz(func(t *testing.T, name string, by uint8) {
		b, err := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA).Pack()
		if err != nil {
			return
		}
		q := b[12:]
		z, now := NewZones(MaxUpstreams, age), time.Now()
		z.Good(q, int(by), false, now)
		s := z.Enter(q, now)
		if kept := by < MaxUpstreams; s.Knows.Has(int(by)) != kept || (s.Lead >= 0) != kept || z.Len() > 1 {
			t.Errorf("%q: %+v", name, s)
		}
		z.Name(q)
	})
}

func TestZonesConcurrent(t *testing.T) {
	z := NewZones(3, age)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for range 2000 {
				q := question(t, fmt.Sprintf("a.z%d.", r.IntN(100)), dns.TypeA)
				now := time.Now()
				z.Good(q, r.IntN(3), false, now)
				z.Missed(q, r.IntN(3), r.IntN(3), Miss{Denied: true, Own: r.IntN(2) == 0}, now)
				z.Enter(q, now)
				z.Compared(q, 0, 1, Opposed, now)
				z.Returned(now)
			}
		})
	}
	all.Wait()
}

func TestZoneName(t *testing.T) {
	z := NewZones(1, age)
	for name, want := range map[string]string{"a.b.c.": "b.c.", "a.": ".", `a.b\.c.d.`: "b?c.d.", "x.\\001.": "?."} {
		q := question(t, name, dns.TypeA)
		z.Good(q, 0, false, time.Now())
		if got := z.Name(q); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := z.Name(question(t, "no.such.", dns.TypeA)); got != "" {
		t.Error(got)
	}
}

func BenchmarkEnter(b *testing.B) {
	z := NewZones(3, age)
	q := question(b, "host.corp.example.", dns.TypeA)
	z.Good(q, 1, false, time.Now())
	now := time.Now()
	for b.Loop() {
		z.Enter(q, now)
	}
}

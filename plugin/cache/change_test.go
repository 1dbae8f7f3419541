package cache

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
)

// changed are the changes that end lives.
var changed = map[string]func(*Cache[string], time.Time){
	"others":             func(c *Cache[string], now time.Time) { c.Changed(now) },
	"its giver fell":     func(c *Cache[string], now time.Time) { c.Fell("giver", now) },
	"its giver returned": func(c *Cache[string], now time.Time) { c.Returned("giver", now) },
	"another fell":       func(c *Cache[string], now time.Time) { c.Fell("other", now) },
	"another returned":   func(c *Cache[string], now time.Time) { c.Returned("other", now) },
	"one that does not know the zone returned": func(c *Cache[string], now time.Time) { c.Returned("ignorant", now) },
}

// A change ends what was kept before: denials and failures are forgotten, and answers end.
func TestChangeEnds(t *testing.T) {
	q := question(t, "wiki.corp.example", dns.TypeA)
	answer := outcome(reply(t, dns.TypeA, 0, address), "giver")
	denial := outcome(reply(t, dns.TypeA, 3, "authority", soa), "giver")
	failure := outcome(reply(t, dns.TypeA, 2), "giver")
	unconcerned := map[string]bool{"another fell": true, "one that does not know the zone returned": true}
	for what, change := range changed {
		ended := 0
		c := newCache(func(cfg *Config[string]) {
			cfg.MayKnow = func(u string, _ []byte) bool { return u != "ignorant" }
			cfg.Ended = func() { ended++ }
		})
		for _, r := range []Reply[string]{denial, failure, answer} {
			r.Epoch = c.Epoch()
			c.Put(q, 0, r, begun)
			change(c, after(time.Millisecond))
			want := None
			switch {
			case r.Msg[3]&0xf == 0 && unconcerned[what]:
				want = Alive
			case r.Msg[3]&0xf == 0:
				want = Ended
			}
			for range 2 { // the second time it may know
				if _, _, s := c.Get(q, 0, after(2*time.Millisecond)); s != want {
					t.Errorf("%s, rcode %d: its state is %v, want %v", what, r.Msg[3]&0xf, s, want)
				}
			}
			c.Put(q, 0, func() Reply[string] { r.Epoch = c.Epoch(); return r }(), after(3*time.Millisecond))
			if _, _, s := c.Get(q, 0, after(4*time.Millisecond)); s != Alive {
				t.Errorf("%s: what came after it is %v", what, s)
			}
		}
		if want := map[bool]int{true: 2, false: 3}[unconcerned[what]]; ended != want {
			t.Errorf("%s: %d are counted, want %d", what, ended, want)
		}
	}
}

// A race that began before a change does not speak for what came after. Its denial is not
// kept, its answer only for the case that its giver is away; and neither takes the place of
// what is known since.
func TestChangeInFlight(t *testing.T) {
	q := question(t, "wiki.corp.example", dns.TypeA)
	old := outcome(reply(t, dns.TypeA, 0, address), "giver")
	denial := outcome(reply(t, dns.TypeA, 3, "authority", soa), "giver")
	c := newCache()
	c.Changed(begun)
	c.Put(q, 0, denial, after(1))
	if _, _, s := c.Get(q, 0, after(2)); s != None {
		t.Errorf("a denial: %v", s)
	}
	c.Put(q, 0, old, after(1))
	if _, _, s := c.Get(q, 0, after(2)); s != Ended {
		t.Errorf("an answer: %v", s)
	}
	now := outcome(reply(t, dns.TypeA, 0, "wiki.corp.example. 300 IN A 203.0.113.5"), "giver")
	now.Epoch = c.Epoch()
	c.Put(q, 0, now, after(3))
	c.Put(q, 0, old, after(4))
	if _, _, s := c.Get(q, 0, after(5)); s != Alive {
		t.Errorf("an answer from before takes the place of one from after: %v", s)
	}
}

// An answer may be given for an hour after its end: that of its TTL, or of the first change,
// whatever comes later.
func TestStale(t *testing.T) {
	q := question(t, "wiki.corp.example", dns.TypeA)
	state := func(c *Cache[string], at time.Duration) State {
		_, _, s := c.Get(q, 0, after(at))
		return s
	}
	for _, tc := range []struct {
		what    string
		changes []time.Duration
		end     time.Duration
	}{
		{"of age", nil, 5 * time.Minute},
		{"by a change", []time.Duration{time.Minute}, time.Minute},
		{"by the first of two", []time.Duration{time.Minute, 2 * time.Minute, 50 * time.Minute}, time.Minute},
		{"of age, then a change", []time.Duration{10 * time.Minute}, 5 * time.Minute},
	} {
		c := newCache()
		c.Put(q, 0, outcome(reply(t, dns.TypeA, 0, address), "giver"), begun)
		for _, at := range tc.changes {
			c.Changed(after(at))
		}
		last := tc.end + time.Hour
		if s := state(c, last-1); s != Ended {
			t.Errorf("%s: an hour after its end its state is %v", tc.what, s)
		}
		if s := state(c, last); s != None {
			t.Errorf("%s: more than an hour after its end its state is %v", tc.what, s)
		}
	}

	c := newCache()
	c.Put(q, 0, outcome(reply(t, dns.TypeA, 0, address), "giver"), begun)
	for i := range 3 * maxChanges {
		c.Changed(after(time.Duration(i) * time.Millisecond))
	}
	if s := state(c, time.Minute); s != Ended {
		t.Errorf("after many changes its state is %v", s)
	}
	if n := len(c.changes.Load().last); n != maxChanges {
		t.Errorf("%d changes are remembered", n)
	}
}

// While its giver was found to be away just now, an answer is given at once; a change ends
// that.
func TestHold(t *testing.T) {
	q := question(t, "wiki.corp.example", dns.TypeA)
	c := newCache()
	c.Put(q, 0, outcome(reply(t, dns.TypeA, 0, address), "giver"), begun)
	end := 5 * time.Minute
	e, _, s := c.Get(q, 0, after(end))
	if s != Ended {
		t.Fatal(s)
	}
	e.Hold(c.Epoch(), after(end))
	for at, want := range map[time.Duration]State{end: Held, end + time.Second - 1: Held, end + time.Second: Ended} {
		if _, _, s := c.Get(q, 0, after(at)); s != want {
			t.Errorf("after %v its state is %v, want %v", at, s, want)
		}
	}
	c.Returned("other", after(end))
	if _, _, s := c.Get(q, 0, after(end+1)); s != Ended {
		t.Errorf("another is back: its state is %v", s)
	}
}

// Deleted is deleted: what its giver denies goes, whoever asked, and nothing else.
func TestDenied(t *testing.T) {
	a, aaaa := question(t, "wiki.corp.example", dns.TypeA), question(t, "wiki.corp.example", dns.TypeAAAA)
	for _, tc := range []struct {
		what  string
		by    string
		asked []byte
		after time.Duration
		want  State
	}{
		{"by its giver", "giver", a, 0, None},
		{"in another case", "giver", question(t, "WIKI.corp.example", dns.TypeA), 0, None},
		{"by its giver, after its end", "giver", a, time.Hour, None},
		{"by another", "other", a, 0, Alive},
		{"another type", "giver", aaaa, 0, Alive},
	} {
		c := newCache()
		for f := range flags {
			c.Put(a, f, outcome(reply(t, dns.TypeA, 0, address), "giver"), begun)
		}
		c.Denied(tc.asked, tc.by)
		for f := range flags {
			if _, _, s := c.Get(a, f, after(tc.after)); s != tc.want {
				t.Errorf("%s: its state is %v, want %v", tc.what, s, tc.want)
			}
		}
	}
	c := newCache()
	r := outcome(reply(t, dns.TypeA, 0, "wiki.corp.example. 300 IN CNAME a.example.", "a.example. 300 IN A 192.0.2.1"), "giver")
	r.Givers = []string{"giver", "of the end"}
	c.Put(a, 0, r, begun)
	c.Denied(a, "of the end") // which knows nothing of the alias
	if _, _, s := c.Get(a, 0, begun); s != Alive {
		t.Errorf("an alias that the giver of its end denies: %v", s)
	}
	c.Denied(a, "giver")
	if _, _, s := c.Get(a, 0, begun); s != None {
		t.Errorf("an alias that its giver denies: %v", s)
	}
}

// A denial without an upstream's opinion goes when that one speaks; others stay.
func TestHeard(t *testing.T) {
	q := question(t, "wiki.corp.example", dns.TypeA)
	denial := outcome(reply(t, dns.TypeA, 3, "authority", soa), "giver")
	partly := denial
	partly.Errs = []error{nil, race.ErrSilent}
	answer := outcome(reply(t, dns.TypeA, 0, address), "giver")
	for what, tc := range map[string]struct {
		reply Reply[string]
		want  State
	}{"denial": {denial, Alive}, "inconclusive": {partly, None}, "answer": {answer, Alive}} {
		c := newCache()
		c.Put(q, 0, tc.reply, begun)
		c.Heard(q)
		if _, _, s := c.Get(q, 0, begun); s != tc.want {
			t.Errorf("%s: its state is %v", what, s)
		}
	}
}

// A good answer that must not be kept takes what was kept with it.
func TestReplaced(t *testing.T) {
	q := question(t, "wiki.corp.example", dns.TypeA)
	c := newCache()
	c.Put(q, 0, outcome(reply(t, dns.TypeA, 0, address), "giver"), begun)
	c.Put(q, 0, outcome(reply(t, dns.TypeA, 0, "wiki.corp.example. 0 IN A 10.1.2.9"), "giver"), begun)
	if _, _, s := c.Get(q, 0, begun); s != None {
		t.Errorf("its state is %v", s)
	}
}

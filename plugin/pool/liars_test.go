package pool

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// A world with a liar: one of its upstreams answers what it likes, and has its clients look up
// names that it makes up.
const (
	companyIs = iota
	liarIs
	publicIs
)

// corp is what the company's resolver says: it knows its hosts, below their zone too, and
// public names.
func corp(name string, qtype uint16) string {
	switch {
	case strings.HasPrefix(name, "www"):
		return public(name, qtype)
	case !strings.HasPrefix(name, "host") || !strings.HasSuffix(name, ".corp.example."):
		return "NXDOMAIN"
	case qtype == dns.TypeA:
		return "10.0.0.1"
	}
	return "NODATA"
}

// public is what anybody's resolver says.
func public(name string, qtype uint16) string {
	switch {
	case !strings.HasPrefix(name, "www"):
		return "NXDOMAIN"
	case qtype == dns.TypeA:
		return "192.0.2.1"
	}
	return "NODATA"
}

// liar answers all, but public names as everybody does.
func liar(name string, qtype uint16) string {
	if strings.HasPrefix(name, "www") {
		return public(name, qtype)
	}
	return map[uint16]string{dns.TypeA: "6.6.6.6", dns.TypeAAAA: "2001:db8:6::6", dns.TypeHTTPS: "6.6.6.6"}[qtype]
}

// lies answers even those otherwise, with an address of its own.
func lies(address string) func(string, uint16) string {
	return func(_ string, qtype uint16) string {
		if qtype != dns.TypeA {
			return "NODATA"
		}
		return address
	}
}

// made asks for names that only the liar has, in a zone.
func (w *small) made(n int, zone string, qtypes ...uint16) {
	for i := range n {
		for _, qtype := range append(qtypes, dns.TypeA)[:max(1, len(qtypes))] {
			w.ask(fmt.Sprintf("made-up%d.%s", i, zone), qtype)
		}
	}
}

// hosts asks for n hosts in a zone that were not asked for before, from first on. It returns
// how many answers are the liar's, how many of the hosts it was shown, and how many others were.
func (w *small) hosts(first, n int, zone string) (won, shown, others int) {
	for i := range n {
		c, _, asked := w.ask(fmt.Sprintf("host%d.%s", first+i, zone), dns.TypeA)
		if c.Verdict != race.Good {
			w.t.Errorf("host%d.%s: %v", first+i, zone, c.Verdict)
		}
		if c.Leg == liarIs {
			won++
		}
		if slices.Contains(asked, liarIs) {
			shown++
		}
		if slices.Contains(asked, publicIs) {
			others++
		}
	}
	return won, shown, others
}

// R16: nobody gains by lying: in a zone with a knower, answers for made-up names, for the
// knower's own, agreement on public ones, and whatever else the liar may do, bring it no answer
// that it would not have without learn, and show it the company's names no more than surveys do.
func TestR16Liar(t *testing.T) {
	const zone = "corp.example."
	for _, tc := range []struct {
		what string
		does func(w *small)
	}{
		{"it answers all, made-up names too", func(w *small) {
			w.all[liarIs].says = liar
			w.hosts(100, 20, zone)
			w.made(3, zone)
		}},
		{"hundreds of them", func(w *small) { w.all[liarIs].says = liar; w.made(300, zone) }},
		{"over AAAA and HTTPS", func(w *small) {
			w.all[liarIs].says = liar
			w.made(6, zone, dns.TypeAAAA, dns.TypeHTTPS)
		}},
		{"it has denied all before, and the names as well", func(w *small) {
			w.all[liarIs].says = always("NXDOMAIN")
			w.hosts(0, 60, zone)
			w.made(3, zone)
			w.all[liarIs].says = liar
			w.made(3, zone)
		}},
		{"with private addresses", func(w *small) { w.all[liarIs].says = lies("10.66.6.6"); w.made(6, zone); w.hosts(100, 100, zone) }},
		{"it agrees on public names", func(w *small) {
			w.all[liarIs].says = liar
			for i := range 6 {
				w.ask(fmt.Sprintf("www%d.%s", i, zone), dns.TypeA)
			}
			w.made(6, zone)
		}},
		{"six at once", func(w *small) {
			w.all[liarIs].says = liar
			var all sync.WaitGroup
			for i := range 6 {
				all.Go(func() { w.ask(fmt.Sprintf("made-up%d.%s", i, zone), dns.TypeA) })
			}
			all.Wait()
		}},
		{"while the company is slow, or fails", func(w *small) {
			w.all[liarIs].says = liar
			company := w.all[companyIs]
			company.delay = 400 * ms
			w.made(6, zone)
			company.delay, company.says = 10*ms, always("SERVFAIL")
			w.made(12, zone)
			company.says = always("")
			w.made(24, zone)
			company.says = corp
		}},
		{"while the company is away, over night", func(w *small) {
			w.all[liarIs].says = liar
			w.all[companyIs].down = true
			for range 16 {
				w.made(6, zone)
				time.Sleep(time.Hour)
			}
			w.all[companyIs].down = false
			w.set.zones.Returned(time.Now())
		}},
		{"and it has answered the company's names meanwhile", func(w *small) {
			w.all[liarIs].says = liar
			w.all[companyIs].down = true
			w.hosts(200, 60, zone)
			w.all[companyIs].down = false
			w.set.zones.Returned(time.Now())
		}},
		{"when it has returned itself", func(w *small) {
			w.all[liarIs].says = liar
			w.set.zones.Returned(time.Now())
			w.made(6, zone)
		}},
		{"while nothing was asked for", func(w *small) {
			w.all[liarIs].says = liar
			time.Sleep(2 * time.Hour)
			w.made(6, zone)
		}},
		{"a host that is gone, and nobody else", func(w *small) {
			w.hosts(0, 20, zone)
			w.all[liarIs].says = liar
			w.all[companyIs].says = always("NXDOMAIN")
			w.hosts(7, 1, zone)
			w.all[companyIs].says = corp
			w.made(6, zone)
		}},
	} {
		for what, change := range map[string]func(*Config){
			"learn": func(*Config) {}, "prefer order": func(c *Config) { c.Prefer = option.Order },
			"prefer private": func(c *Config) { c.Prefer = option.Private }, "away": func(c *Config) { c.Away = true },
		} {
			synctest.Test(t, func(t *testing.T) {
				w := newSmall(t, []*simple{{delay: 10 * ms, says: corp}, {delay: 60 * ms, says: always("NXDOMAIN")}, {delay: 4 * ms, says: public}}, change)
				w.hosts(1000, 5, zone)
				tc.does(w)
				won, shown, others := w.hosts(0, 60, zone)
				if won > 0 || shown > 3 || others > 3 {
					t.Errorf("%s, %s: of 60 names the liar answered %d and was shown %d, a third one %d", tc.what, what, won, shown, others)
				}
			})
		}
	}
}

// R16: nor does it below the zone, in which nothing was asked for yet.
func TestR16LiarBelow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSmall(t, []*simple{{delay: 10 * ms, says: corp}, {delay: 60 * ms, says: liar}, {delay: 4 * ms, says: public}})
		w.hosts(1000, 5, "corp.example.")
		w.made(6, "lab.corp.example.")
		if won, shown, _ := w.hosts(0, 60, "lab.corp.example."); won > 0 || shown > 3 {
			t.Errorf("of 60 names the liar answered %d and was shown %d", won, shown)
		}
	})
}

// R16: one that is faster than the company wins what it wins without learn; but where the
// company is known, it does not even that.
func TestR16FastLiar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSmall(t, []*simple{{delay: 10 * ms, says: corp}, {delay: ms, says: always("NXDOMAIN")}, {delay: 4 * ms, says: public}})
		w.hosts(1000, 5, "corp.example.")
		w.all[liarIs].says = liar
		w.made(6, "corp.example.")
		if won, shown, others := w.hosts(0, 60, "corp.example."); won > 3 || shown > 3 || others > 3 {
			t.Errorf("of 60 names the liar answered %d and was shown %d, a third one %d", won, shown, others)
		}
	})
}

// R16, R17: with prefer order who is listed before the knower is asked with it, so that one
// that came first to a zone does not hide it.
func TestR16OrderIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSmall(t, []*simple{{delay: 10 * ms, says: corp}, {delay: 60 * ms, says: liar}, {delay: 4 * ms, says: public}}, func(c *Config) { c.Prefer = option.Order })
		w.made(6, "corp.example.") // nothing is known of the zone yet
		won, shown, others := w.hosts(0, 60, "corp.example.")
		if won > 0 || others > 3 {
			t.Errorf("of 60 names the liar answered %d and was shown %d, a third one %d", won, shown, others)
		}
	})
}

// R16: a name that another alone has answered is asked of it and of the knower, so that it
// costs no more time, and shows it to nobody else.
func TestR16ByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := &simple{delay: 20 * ms, says: func(name string, _ uint16) string {
			if name == "odd.corp.example." {
				return "192.0.2.7"
			}
			return "NXDOMAIN"
		}}
		w := newSmall(t, []*simple{{delay: 10 * ms, says: corp}, other, {delay: 4 * ms, says: public}})
		w.hosts(0, 20, "corp.example.")
		for i, want := range []struct {
			took  time.Duration
			asked []int
		}{{30 * ms, []int{0, 1, 2}}, {20 * ms, []int{0, 1}}, {20 * ms, []int{0, 1}}} {
			if c, took, asked := w.ask("odd.corp.example.", dns.TypeA); c.Leg != 1 || took != want.took && i == 0 || !slices.Equal(asked, want.asked) && i == 0 {
				t.Errorf("question %d: %v after %v, asked %v", i, c.Verdict, took, asked)
			} else if i > 0 && (took > want.took || !slices.Contains(asked, 1)) {
				t.Errorf("question %d took %v, asked %v", i, took, asked)
			}
		}
	})
}

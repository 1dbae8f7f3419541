package upstream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// tidyings counts, as time passes, how often an upstream is tidied up.
func tidyings(u *Upstream, during time.Duration) (n int) {
	due := func() instant.Time {
		u.mu.Lock()
		defer u.mu.Unlock()
		return u.tidyDue
	}
	for end := time.Now().Add(during); time.Now().Before(end); {
		before := due()
		time.Sleep(100 * ms)
		synctest.Wait()
		if now := instant.Now(); !before.IsZero() && !now.Before(before) && now.Sub(before) < 100*ms {
			n++
		}
	}
	return n
}

// probesOver counts the probes of a while that come over a path.
func probesOver(f *fake, network string, during time.Duration) (n int) {
	before := len(f.log())
	time.Sleep(during)
	synctest.Wait()
	for _, p := range f.log()[before:] {
		if p.network == network && wire.QuestionType(wire.Question(p.msg)) == dns.TypeNS {
			n++
		}
	}
	return n
}

// R5: while nobody asks a down upstream is probed less and less often, twice a minute at
// least; and once a second again from the next query on.
func TestR5ProbesFewer(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(func(packet) {})
				u := f.upstream(t, func(c *Config) { c.ForceTCP = network == "tcp" })
				within := func(what string, got, least, most int) {
					t.Helper()
					if got < least || got > most {
						t.Errorf("%s: %d, want %d to %d", what, got, least, most)
					}
				}
				ask(u, query("host.example."))
				within("probes at first", probesOver(f, network, 8*time.Second), 7, 9)
				time.Sleep(10 * time.Minute)
				dials := f.opened("tcp")
				within("probes in ten minutes", probesOver(f, network, 10*time.Minute), 19, 21)
				within("connections in ten minutes", f.opened("tcp")-dials, 1, 21)
				within("tidyings in ten minutes", tidyings(u, 10*time.Minute), 20, 120)
				u.Wanted() // its replies are kept elsewhere
				within("probes while there are clients", probesOver(f, network, 8*time.Second), 7, 9)
				time.Sleep(10 * time.Minute)
				ask(u, query("host.example."))
				within("probes after a query", probesOver(f, network, 8*time.Second), 7, 9)
			})
		})
	}
}

// R5: while somebody waits for a down upstream it is probed once a second, however long that is.
func TestR5ProbesForWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		u := f.upstream(t, func(c *Config) { c.Timeout = time.Minute })
		ask(u, query("host.example.")) // it goes down
		o := newOutcome()
		defer o.waitNoMore()
		u.Ask(query("host.example."), o)
		time.Sleep(30 * time.Second)
		if n := probesOver(f, "udp", 20*time.Second); n < 19 || n > 21 {
			t.Errorf("%d probes in 20 seconds", n)
		}
	})
}

// An upstream is tidied up when something is due, and not at all when nothing is.
func TestTidyWhenDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(10*ms, nil))
		u := f.upstream(t)
		if o := ask(u, query("host.example.")); !o.good() {
			t.Fatal(o.err)
		}
		if n := tidyings(u, 15*time.Second); n == 0 || n > 4 {
			t.Errorf("it is tidied up %d times after one query", n)
		}
		u.mu.Lock()
		open := 0
		for _, s := range u.sockets {
			if s != nil {
				open++
			}
		}
		due := u.tidyDue
		u.mu.Unlock()
		if open > 0 || !due.IsZero() {
			t.Errorf("%d sockets are open, something is due in %v", open, instant.Until(due))
		}
	})
}

// Upstreams are tidied up at the same moments, whenever they were asked.
func TestTidyTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		var all []*Upstream
		for range 3 {
			u := f.upstream(t)
			all = append(all, u)
			go ask(u, query("host.example."))
			time.Sleep(170 * ms)
		}
		for range 20 {
			time.Sleep(730 * ms)
			synctest.Wait()
			for _, u := range all {
				u.mu.Lock()
				if at := u.tidyDue; at != instant.WholeSecond(at) {
					t.Errorf("it is due in %v, and the next second in %v", instant.Until(at), instant.Until(instant.WholeSecond(at)))
				}
				u.mu.Unlock()
			}
		}
	})
}

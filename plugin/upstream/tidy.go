package upstream

import (
	"time"

	"github.com/miekg/dns"
)

// scheduleTidy makes sure that tidy is called as long as there is something to
// tidy up. u.mu is held.
func (u *Upstream) scheduleTidy() {
	if u.tidying {
		return
	}
	u.tidying = true
	time.AfterFunc(tidyEvery, func() {
		u.mu.Lock()
		u.tidying = false
		u.tidy(time.Now())
		down := u.health.down && !u.draining
		u.mu.Unlock()
		if down {
			u.probe()
		}
	})
}

// tidy forgets old exchanges, and closes sockets that are worn and unused. u.mu
// is held.
func (u *Upstream) tidy(now time.Time) {
	for _, s := range u.sockets {
		if s != nil && (u.draining || s.worn(now) && now.Sub(s.asked) >= tidyEvery) { // else the next query replaces it
			u.retire(s)
		}
	}
	inUse := u.retired[:0]
	for _, s := range u.retired {
		u.forget(s.pending, now)
		if len(s.pending) == 0 {
			s.conn.Close()
		} else {
			inUse = append(inUse, s)
		}
	}
	clear(u.retired[len(inUse):])
	u.retired = inUse
	for _, s := range u.sockets {
		if s != nil {
			u.forget(s.pending, now)
		}
	}
	for i := len(u.streams) - 1; i >= 0; i-- {
		s := u.streams[i]
		u.forget(s.pending, now)
		s.callOff()
		if len(s.pending) == 0 && (u.draining || s.leaving || s.open && now.Sub(s.heard) >= max(maxIdle, u.cfg.Warm)) {
			s.close()
		}
	}
	if u.health.down && !u.draining || len(u.retired) > 0 || len(u.streams) > 0 || u.sockets != [maxSockets]*socket{} {
		u.scheduleTidy()
	}
}

// forget drops exchanges that nobody waits for: late replies only have to teach,
// so none is kept for long, less so those of a down upstream, which is probed,
// and none at all while the upstream is being closed. Of those kept it lets go
// of the races.
func (u *Upstream) forget(p pending, now time.Time) {
	long := min(u.cfg.Timeout, u.cfg.Patience)
	short := long
	if u.health.down {
		short = min(short, tidyEvery)
	}
	for id, x := range p {
		_, probe := x.to.(prober)
		age := now.Sub(x.begun)
		switch {
		case x.to.Waiting():
		case u.draining || age > long || age > short && !probe:
			delete(p, id)
		case !probe:
			x.to = nobody{}
		}
	}
}

// probe asks what takes the resolver no time: any reply says that it talks.
func (u *Upstream) probe() {
	u.mu.Lock()
	u.probed = time.Now()
	u.mu.Unlock()
	u.Ask(probeQuery, prober{})
}

// probeQuery is asked of a down upstream, so that it is found to be up again before
// a client needs it, and of one that may be down.
var probeQuery = func() *Query {
	m := new(dns.Msg)
	m.SetQuestion(".", dns.TypeNS)
	msg, err := m.Pack()
	if err != nil {
		panic(err) // of a constant
	}
	return &Query{Msg: msg}
}()

// prober is the Receiver of probes.
type prober struct{ nobody }

// nobody is the Receiver of exchanges that nobody waits for.
type nobody struct{}

func (nobody) Reply([]byte)  {}
func (nobody) Fail(error)    {}
func (nobody) Down()         {}
func (nobody) Up()           {}
func (nobody) Waiting() bool { return false }

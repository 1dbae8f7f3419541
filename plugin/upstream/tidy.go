package upstream

import (
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/ports"
)

// scheduleTidyLocked makes sure that tidy is called as long as there is something to
// tidy up.
func (u *Upstream) scheduleTidyLocked() {
	if u.tidying {
		return
	}
	u.tidying = true
	due := time.Now().Add(tidyEvery)
	time.AfterFunc(tidyEvery, func() {
		var out outbox
		now := time.Now()
		u.mu.Lock()
		u.tidying = false
		u.tidyLocked(now.Sub(due) > pausedFor, now, &out)
		if u.presence.down && u.link != link.Gone && !u.draining {
			out.add(job{kind: probeJob})
		}
		u.mu.Unlock()
		u.do(&out)
	})
}

// tidyLocked forgets old exchanges, and closes sockets that are worn and unused. It is
// told if this process was stopped just now.
func (u *Upstream) tidyLocked(paused bool, now time.Time, out *outbox) {
	for _, s := range u.sockets {
		if s != nil && (u.draining || s.wornLocked(now) && now.Sub(s.sent) >= tidyEvery) { // else the next query replaces it
			u.retireLocked(s)
		}
	}
	few := u.fewLocked()
	u.forgetLocked(&u.stranded, few, paused, now, out)
	inUse := u.retired[:0]
	for _, s := range u.retired {
		s.forgetLocked(few, paused, now, out)
		if s.pending.Len() == 0 {
			s.Close()
		} else {
			inUse = append(inUse, s)
		}
	}
	clear(u.retired[len(inUse):])
	u.retired = inUse
	for _, s := range u.sockets {
		if s != nil {
			s.forgetLocked(few, paused, now, out)
		}
	}
	for i := len(u.streams) - 1; i >= 0; i-- {
		s := u.streams[i]
		u.forgetLocked(&s.pending, false, paused, now, out)
		s.callOffLocked()
		if s.pending.Len() == 0 && (u.draining || s.leaving || s.open && now.Sub(s.heard) >= max(maxIdle, u.cfg.Warm)) {
			s.closeLocked()
		}
	}
	if u.presence.down && !u.draining || len(u.retired) > 0 || len(u.streams) > 0 || u.sockets != [ports.InUse]*socket{} {
		u.scheduleTidyLocked()
	}
}

// maxLate is how many exchanges over UDP, of which nobody waits for most, are kept as
// long as a reply may bring a down upstream up again. If there are more, the old ones
// go sooner.
const maxLate = 4096

// forgetLocked drops exchanges that nobody waits for: late replies only have to teach,
// so of very many none is kept for long, less so those of a down upstream, which is
// probed, and none at all while the upstream is being closed. Of those kept it lets
// go of the races.
func (u *Upstream) forgetLocked(p *ports.Table[Exchange], few, paused bool, now time.Time, out *outbox) {
	longest := 2 * u.cfg.Timeout
	long := min(u.cfg.Timeout, u.patienceLocked())
	if u.presence.down {
		long = min(long, tidyEvery)
	}
	for id, x := range p.All() {
		if x.to.Waiting() {
			continue
		}
		if paused { // then it was this side that did not listen
			x.unheard = true
		}
		x.unheardLocked(now, out)
		_, probe := x.to.(prober)
		age := now.Sub(x.begun)
		switch {
		case u.draining || age > longest || age > long && !probe && !few:
			p.Remove(id)
		case !probe && age > tidyEvery: // who listens has heard most
			x.to = nobody{}
		}
	}
}

// fewLocked reports whether no more exchanges are kept over UDP than may be for long.
func (u *Upstream) fewLocked() bool {
	n := 0
	for _, s := range u.sockets {
		if s != nil {
			n += s.pending.Len()
		}
	}
	for _, s := range u.retired {
		n += s.pending.Len()
	}
	return n <= maxLate
}

// forgetLocked drops what nobody waits for on a socket.
func (s *socket) forgetLocked(few, paused bool, now time.Time, out *outbox) {
	s.u.forgetLocked(&s.pending, few, paused, now, out)
	s.questions = nil // rebuilt when it is needed again
}

// probe asks what takes the resolver no time, over UDP and a stream: any reply says
// that it talks.
func (u *Upstream) probe() {
	u.mu.Lock()
	u.presence.probed = time.Now()
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
	return &Query{Msg: msg, everyWay: true}
}()

// prober is the Receiver of probes.
type prober struct{ nobody }

// nobody is the Receiver of exchanges that nobody waits for.
type nobody struct{}

func (nobody) Reply([]byte, time.Time, bool) {}
func (nobody) Fail(error)                    {}
func (nobody) Presence(bool, uint64)         {}
func (nobody) Again()                        {}
func (nobody) Unresponsive()                 {}
func (nobody) Waiting() bool                 { return false }

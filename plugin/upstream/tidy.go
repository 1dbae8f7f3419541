package upstream

import (
	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/ports"
)

// tidy forgets, closes and probes, once a second while there is anything to do.
func (u *Upstream) tidy() {
	var out outbox
	now := instant.Now()
	u.mu.Lock()
	paused := now.Sub(u.tidyDue) > maxPause
	u.tidyDue = instant.Never
	u.tidyLocked(paused, now, &out)
	if u.known.Down && !u.linkGone() && !u.closing {
		out.add(job{kind: probeJob})
	}
	u.mu.Unlock()
	u.do(&out)
}

// tidyLocked forgets old exchanges, and closes sockets that are old and unused. It is told
// if this process was stopped just now.
func (u *Upstream) tidyLocked(paused bool, now instant.Time, out *outbox) {
	for _, s := range u.sockets {
		if s != nil && (u.closing || s.retiringLocked(now) && now.Sub(s.sent) >= tidyEvery) { // else the next query replaces it
			u.retireLocked(s)
		}
	}
	few := u.pendingOverUDPLocked() <= maxLate
	u.forgetLocked(&u.waitingForLink, few, paused, now, out)
	waited := u.retired[:0]
	for _, s := range u.retired {
		s.forgetLocked(few, paused, now, out)
		if s.pending.Len() == 0 {
			s.Close()
		} else {
			waited = append(waited, s)
		}
	}
	clear(u.retired[len(waited):])
	u.retired = waited
	for _, s := range u.sockets {
		if s != nil {
			s.forgetLocked(few, paused, now, out)
		}
	}
	for i := len(u.conns.open) - 1; i >= 0; i-- {
		s := u.conns.open[i]
		u.forgetLocked(&s.pending, false, paused, now, out)
		s.callOffLocked()
		idle := s.state.connected() && (now.Sub(s.heard) >= max(maxIdle, u.cfg.Warm) || u.cfg.Warm > 0 && now.Sub(u.conns.lastAsked) >= u.cfg.Warm)
		if s.pending.Len() == 0 && (u.closing || !s.takesMore() || idle) {
			s.closeLocked()
		}
	}
	u.known.Zones.Forget(now)
	if !u.conns.rewarmAt.IsZero() {
		u.rewarmDueLocked(now)
	}
	if u.known.Down && !u.closing || len(u.retired) > 0 || len(u.conns.open) > 0 || u.sockets != [ports.InUse]*socket{} {
		u.tidyLaterLocked()
	}
}

// maxLate is how many exchanges over UDP, of which most are not waited for, are kept as
// long as a reply may bring a down upstream up again. If there are more, the old ones
// go sooner.
const maxLate = 4096

// pendingOverUDPLocked counts them.
func (u *Upstream) pendingOverUDPLocked() (n int) {
	for _, s := range u.sockets {
		if s != nil {
			n += s.pending.Len()
		}
	}
	for _, s := range u.retired {
		n += s.pending.Len()
	}
	return n
}

// forgetLocked drops exchanges that are not waited for: late replies only have to teach,
// so of very many none is kept for long, less so those of a down upstream, which is
// probed, and none at all while the upstream is being closed. Of those kept it releases
// the races.
func (u *Upstream) forgetLocked(p *ports.Table[Exchange], few, paused bool, now instant.Time, out *outbox) {
	longest := 2 * u.cfg.Timeout
	long := min(u.cfg.Timeout, u.patienceLocked())
	if u.known.Down {
		long = min(long, tidyEvery)
	}
	for id, x := range p.All() {
		if x.to.Waiting() {
			continue
		}
		if paused { // then it was this side that did not listen
			x.wait.silenceReported, x.wait.zoneReported = true, true
		}
		x.noteTypeSilence(now, out)
		x.noteZoneSilence(now, out)
		age := now.Sub(x.begun)
		switch {
		case u.closing || age > longest || age > long && !x.probe && !few:
			p.Remove(id)
			x.passTurn(now, out)
		case !x.probe && age > tidyEvery: // who takes late replies has most of them
			x.to = nobody{}
			x.passTurn(now, out)
		}
	}
}

// forgetLocked drops what is not waited for on a socket.
func (s *socket) forgetLocked(few, paused bool, now instant.Time, out *outbox) {
	s.u.forgetLocked(&s.pending, few, paused, now, out)
	s.questions = nil // counted again when needed
}

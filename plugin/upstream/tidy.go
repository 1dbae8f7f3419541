package upstream

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/ports"
)

// maxProbeEvery is from one probe of a down upstream to the next while nobody asks.
const maxProbeEvery = 30 * time.Second

// tidy forgets, closes and probes, when there is something to do, and at whole seconds of the
// clock: so one waking does for all upstreams.
func (u *Upstream) tidy() {
	var out outbox
	now := instant.Now()
	u.mu.Lock()
	paused := now.Sub(u.tidyDue) > maxPause
	if u.known.Down && !u.linkGone() && !u.closing && !now.Before(u.probeDueLocked()) {
		u.known.Probed = now
		out.add(job{kind: probeJob})
	}
	u.tidyLocked(paused, now, &out)
	u.mu.Unlock()
	u.do(&out)
}

// Wanted says that there are clients, though they are not in need of the upstream just now: so
// one that is down is probed as if it were asked (R5).
func (u *Upstream) Wanted() {
	now := instant.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.wanted = now
	if u.known.Down && !u.linkGone() && !u.closing {
		u.tidySoonLocked(now)
	}
}

// probeDueLocked is when the upstream, which is down, is to be probed (R5), as a whole second.
func (u *Upstream) probeDueLocked() instant.Time {
	every := min(max(u.known.Probed.Sub(max(u.asked, u.wanted))/10, tidyEvery), maxProbeEvery)
	for range u.waitingLocked() {
		every = tidyEvery
		break
	}
	return instant.WholeSecond(u.known.Probed.Add(every - tidyEvery + 1))
}

// dueLocked is when there is something to tidy up; zero: never. A client's exchange is looked
// at each second, for who has it may wait no more.
func (u *Upstream) dueLocked(now instant.Time) (due instant.Time) {
	at := func(t instant.Time) {
		if due.IsZero() || t.Before(due) {
			due = t
		}
	}
	for p := range u.tablesLocked() {
		for _, x := range p.All() {
			if !x.probe || !u.known.Down {
				return now
			}
			at(x.begun.Add(2*u.cfg.Timeout + 1))
		}
	}
	if u.known.Down && !u.linkGone() && !u.closing {
		at(u.probeDueLocked())
	}
	for _, s := range u.sockets {
		if s == nil {
			continue
		}
		end := s.Ends()
		if u.known.Down {
			end = min(end, now.Add(maxAgeDown-s.Age(now)))
		}
		at(max(end+1, s.sent.Add(tidyEvery)))
	}
	for _, s := range u.conns.open {
		switch s.state {
		case dialling:
			return now
		case open:
			at(s.idleAtLocked())
		}
	}
	if !u.conns.rewarmAt.IsZero() {
		at(u.conns.rewarmAt)
	}
	return due
}

// idleAtLocked is when the stream is to be closed, if it is not used until then.
func (s *stream) idleAtLocked() instant.Time {
	warm := s.u.cfg.Warm
	at := s.heard.Add(max(maxIdle, warm))
	if warm > 0 {
		at = min(at, s.u.conns.lastAsked.Add(warm))
	}
	return at
}

// tidyLocked forgets old exchanges, and closes sockets that are old and unused. It is told
// if this process was stopped just now.
func (u *Upstream) tidyLocked(paused bool, now instant.Time, out *outbox) {
	for _, s := range u.sockets {
		if s != nil && (u.closing || s.retiringLocked(now) && now.Sub(s.sent) >= tidyEvery) { // else the next query replaces it
			u.retireLocked(s)
		}
	}
	keep := keepNone
	if u.pendingOverUDPLocked() <= maxLate {
		keep = keepAll
	}
	u.forgetLocked(&u.waitingForLink, keep, paused, now, out)
	waited := u.retired[:0]
	for _, s := range u.retired {
		s.forgetLocked(keep, paused, now, out)
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
			s.forgetLocked(keep, paused, now, out)
		}
	}
	for i := len(u.conns.open) - 1; i >= 0; i-- {
		s := u.conns.open[i]
		keep = keepNone
		if s.pending.Len() <= maxLateStream {
			keep = keepLate
		}
		u.forgetLocked(&s.pending, keep, paused, now, out)
		s.callOffLocked()
		idle := s.state.connected() && !now.Before(s.idleAtLocked())
		if s.pending.Len() == 0 && (u.closing || !s.takesMore() || idle) {
			s.closeLocked()
		}
	}
	u.known.Zones.Forget(now)
	if !u.conns.rewarmAt.IsZero() {
		u.rewarmDueLocked(now)
	}
	u.planTidyLocked(u.dueLocked(now), now)
}

// maxLate is how many exchanges over UDP, of which most are not waited for, are kept as
// long as a reply may bring a down upstream up again. If there are more, the old ones
// go sooner.
const maxLate = 4096

// maxLateStream is how many exchanges a stream has at most when late replies are waited for: half
// of its workers are left to others.
const maxLateStream = maxWorkers / 2

// keeping is which exchanges that are not waited for are kept as long as a reply may come.
type keeping uint8

const (
	keepNone keeping = iota
	keepLate         // those with a receiver of old replies
	keepAll
)

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
// the races, but for those that take old replies.
func (u *Upstream) forgetLocked(p *ports.Table[Exchange], keep keeping, paused bool, now instant.Time, out *outbox) {
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
		late := keep >= keepLate && takesLate(x.to, true)
		switch {
		case u.closing || age > longest || age > long && !x.probe && !late && keep < keepAll:
			p.Remove(id)
			x.passTurn(now, out)
		case !x.probe && age > tidyEvery: // who takes late replies has most of them
			if !late {
				x.to = nobody{}
			}
			x.passTurn(now, out)
		}
	}
}

// forgetLocked drops what is not waited for on a socket.
func (s *socket) forgetLocked(keep keeping, paused bool, now instant.Time, out *outbox) {
	s.u.forgetLocked(&s.pending, keep, paused, now, out)
	s.questions = nil // counted again when needed
}

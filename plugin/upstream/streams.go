package upstream

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// maxLimited is how long a resolver is taken to allow no more connections; then another is
// tried.
const maxLimited = 5 * time.Second

// rewarmEvery is from one dial to the next at the least, if connections are held open and
// not used.
const rewarmEvery = 5 * time.Second

// streamLocked returns the connection that the next exchange should use: a free one, else
// one that is being dialled, else a new one, else the least busy. A free one has to have
// brought a reply after since, which may be zero. One that has owed a reply for long makes
// room, but what it owes may come yet: the server or the name may just be slow. Where the
// resolver allows no more connections than work already, those are used.
func (u *Upstream) streamLocked(now, since instant.Time) *stream {
	limited := u.limitedLocked(now)
	var free, connecting, stalled, best *stream
	inUse := 0
	for _, s := range u.conns.open {
		if !s.takesMore() {
			continue
		}
		inUse++
		switch {
		case s.state == dialling:
			connecting = s
		case s.freeLocked(now) && (since.IsZero() || s.heard.After(since) || limited):
			free = s
		case s.pending.Len() == 0 || s.stalledLocked(now):
			stalled = s
		case best == nil || s.pending.Len() < best.pending.Len():
			best = s
		}
	}
	switch full := inUse >= maxStreams; {
	case free != nil:
		return free
	case limited && best != nil:
		return best
	case connecting != nil: // never two attempts at a time
		return connecting
	case full && stalled != nil:
		stalled.drainLocked()
		u.endOldestLocked()
	case full:
		return best
	}
	return u.openStreamLocked()
}

// streamAloneLocked returns a connection for one exchange, whose query may be what ends
// connections, or may have shared them with such a query. Where all connections
// end, and it is no query's fault, it is one for many.
func (u *Upstream) streamAloneLocked(now instant.Time) *stream {
	if len(u.conns.open) >= maxOpen || now.Sub(u.known.Last) > maxIdle {
		return u.streamLocked(now, now)
	}
	s := u.openStreamLocked()
	s.alone = true
	return s
}

// openStreamLocked begins to dial a connection.
func (u *Upstream) openStreamLocked() *stream {
	s := newStream(u)
	u.conns.open, u.conns.rewarmAt = append(u.conns.open, s), instant.Never
	go s.run()
	u.tidySoonLocked(instant.Now())
	return s
}

// endOldestLocked ends the connection that owes replies for the longest time, if there
// are too many of those.
func (u *Upstream) endOldestLocked() {
	if len(u.conns.open) < maxOpen {
		return
	}
	for _, s := range u.conns.open { // in the order in which they were opened
		if !s.takesMore() {
			s.closeLocked()
			return
		}
	}
}

// rewarmLocked opens another connection in the place of s, if one is to be held open. One
// that was not used lasts for rewarmEvery or is missing so long: a resolver may close each at
// once, or take none.
func (u *Upstream) rewarmLocked(s *stream, now instant.Time) {
	u.conns.rewarmAt = now
	if !s.used {
		u.conns.rewarmAt = s.dialled.Add(rewarmEvery)
	}
	u.rewarmDueLocked(now)
}

// rewarmDueLocked opens a connection if one is to be held open and it is time for it. An
// upstream that is down is dialled by probes.
func (u *Upstream) rewarmDueLocked(now instant.Time) {
	switch {
	case len(u.conns.open) > 0 || u.closing || u.linkGone() || u.known.Down || now.Sub(u.conns.lastAsked) >= u.cfg.Warm:
		u.conns.rewarmAt = instant.Never
	case u.conns.rewarmAt.After(now):
		u.tidySoonLocked(now)
	default:
		u.openStreamLocked()
	}
}

// limitedLocked reports whether the resolver takes no more connections than there are:
// while some work, another failed not long ago, or is not taken in time.
func (u *Upstream) limitedLocked(now instant.Time) bool {
	limited := now.Before(u.conns.limitedUntil)
	for _, s := range u.conns.open {
		if s.stalledLocked(now) { // then these may be broken themselves
			return false
		}
		if s.state == dialling && !s.dialled.IsZero() && now.Sub(s.dialled) > u.known.Stall() {
			limited = true
		}
	}
	return limited
}

// streamWorksLocked reports whether some connection does.
func (u *Upstream) streamWorksLocked() bool {
	for _, s := range u.conns.open {
		if s.state == open && s.used {
			return true
		}
	}
	return false
}

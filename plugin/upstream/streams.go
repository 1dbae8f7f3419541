package upstream

import "time"

// leastStall is that of a resolver which replies quickly, or never did.
const leastStall = 500 * time.Millisecond

// stallAfterLocked is how long a stream may owe a reply before queries pass it
// over, and its own are asked on another.
func (u *Upstream) stallAfterLocked() time.Duration {
	return max(leastStall, u.streamRTT.timeout())
}

// streamLocked returns the TCP connection that the next exchange should use: a free
// one, else one that is being dialled, else a new one, else the least busy. A
// free one has to have brought a reply after since, which may be zero. One that
// has owed a reply for long makes room, but what it owes may come yet: the server
// or the name may just be slow. Where the resolver allows no more connections than
// work already, those are used.
func (u *Upstream) streamLocked(now, since time.Time) *stream {
	crowded := u.crowdedLocked(now)
	var free, dialling, stalled, best *stream
	inUse := 0
	for _, s := range u.streams {
		if s.leaving {
			continue
		}
		inUse++
		switch {
		case !s.open:
			dialling = s
		case s.freeLocked(now) && (since.IsZero() || s.heard.After(since) || crowded):
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
	case crowded && best != nil:
		return best
	case dialling != nil: // never two attempts at a time
		return dialling
	case full && stalled != nil:
		stalled.leaving = true
		stalled.endLeftLocked()
		u.endOldestLocked()
	case full:
		return best
	}
	return u.openStreamLocked()
}

// endOldestLocked ends the connection that owes replies for the longest time, if there
// are too many of those.
func (u *Upstream) endOldestLocked() {
	if len(u.streams) < maxOpen {
		return
	}
	for _, s := range u.streams { // in the order in which they were opened
		if s.leaving {
			s.closeLocked()
			return
		}
	}
}

// streamAloneLocked returns a connection for one exchange, whose query may be what ends
// connections, or may have shared them with such a query. Where all connections
// end, and it is no query's fault, it is one for many.
func (u *Upstream) streamAloneLocked(now time.Time) *stream {
	if len(u.streams) >= maxOpen || now.Sub(u.presence.last) > maxIdle {
		return u.streamLocked(now, now)
	}
	s := u.openStreamLocked()
	s.leaving = true
	return s
}

// openStreamLocked begins to dial a TCP connection.
func (u *Upstream) openStreamLocked() *stream {
	s := newStream(u)
	u.streams = append(u.streams, s)
	go s.run()
	u.scheduleTidyLocked()
	return s
}

// crowdedLocked reports whether the resolver takes no more connections than there are:
// while some work, another failed not long ago, or is not taken in time.
func (u *Upstream) crowdedLocked(now time.Time) bool {
	crowded := now.Before(u.crowded)
	for _, s := range u.streams {
		if s.stalledLocked(now) { // then these may be of no use themselves
			return false
		}
		if !s.open && !s.dialled.IsZero() && now.Sub(s.dialled) > u.stallAfterLocked() {
			crowded = true
		}
	}
	return crowded
}

// worksLocked reports whether some connection does.
func (u *Upstream) worksLocked() bool {
	for _, s := range u.streams {
		if s.open && s.used && !s.leaving {
			return true
		}
	}
	return false
}

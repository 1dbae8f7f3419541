package upstream

import (
	"iter"
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/ports"
)

// presence is what is known of whether the upstream talks. Its zero value is one
// that was not heard yet and is taken to be up.
type presence struct {
	health
	turn    uint64 // how often it went down or came up
	pace    pace
	udp     way
	stream  way
	edns    edns
	dnssec  dnssec
	hearing hearing
	probed  time.Time // when it was last probed
	resumed time.Time // when a silence over UDP ended, be it a short one
}

// heardLocked notes that the upstream talks, over UDP or a stream. If it was down, whoever still waits for
// it has to ask once more; and so has whoever asked in vain, if its last packet fell
// into a silence that is over now.
func (u *Upstream) heardLocked(udp bool, now time.Time, out *outbox) {
	if u.link == link.Gone { // it was on its way before
		return
	}
	down, after, last := u.presence.down, now.Sub(u.presence.fell), u.presence.last
	u.presence.heard(now)
	if down {
		u.presence.turn++
		u.presence.dnssec.begun = time.Time{}
		out.add(job{kind: upJob, turn: u.presence.turn, took: after})
	} else if now.Sub(last) < minRTO {
		return
	}
	if udp {
		u.presence.resumed = now
	}
	for x := range u.openLocked() {
		if down {
			out.add(u.presence.job(x.to))
		} else if x.again || !x.spentLocked() || x.sent.Before(last) {
			continue
		}
		x.againLocked(now, out)
		out.add(job{kind: againJob, to: x.to})
	}
}

// job tells to of the presence.
func (p *presence) job(to Receiver) job {
	return job{kind: presenceJob, to: to, down: p.down, turn: p.turn}
}

// silentLocked notes that x is unanswered at now, and makes the upstream down if that
// proves it.
func (u *Upstream) silentLocked(x *Exchange, now time.Time, out *outbox) {
	if !u.presence.silent(x.watched, now, u.patienceLocked()) {
		return
	}
	u.presence.turn++
	n := 0
	for range u.openLocked() {
		n++
	}
	out.add(job{kind: downJob, turn: u.presence.turn, took: now.Sub(x.watched), n: n})
	for x := range u.openLocked() {
		out.add(u.presence.job(x.to))
	}
	u.retireAllLocked(now) // the silence may be theirs
}

// probeDueLocked reports whether it is time to ask the upstream something that takes
// it no time, once, and not for each exchange that waits: the name asked for may be
// one that takes long.
func (u *Upstream) probeDueLocked(x *Exchange, now time.Time) bool {
	patience := u.patienceLocked()
	silence := u.presence.deadline(x.watched, patience)
	if x.probed || silence.IsZero() || now.Before(silence.Add(-patience/2)) {
		return false
	}
	x.probed = true
	return now.Sub(u.presence.probed) >= patience/2
}

// patienceLocked is the silence that makes the upstream down.
func (u *Upstream) patienceLocked() time.Duration {
	return u.presence.pace.patience(u.cfg.Patience, u.cfg.Timeout)
}

// openLocked yields each exchange that somebody waits for.
func (u *Upstream) openLocked() iter.Seq[*Exchange] {
	return func(yield func(*Exchange) bool) {
		seen := make(map[*Exchange]bool) // one may be pending on several sockets
		for p := range u.tablesLocked() {
			for _, x := range p.All() {
				if x.phase == ended || seen[x] || !x.to.Waiting() {
					continue
				}
				seen[x] = true
				if !yield(x) {
					return
				}
			}
		}
	}
}

// tablesLocked yields the table of each socket.
func (u *Upstream) tablesLocked() iter.Seq[*ports.Table[Exchange]] {
	return func(yield func(*ports.Table[Exchange]) bool) {
		for _, s := range u.sockets {
			if s != nil && !yield(&s.pending) {
				return
			}
		}
		for _, s := range u.retired {
			if !yield(&s.pending) {
				return
			}
		}
		for _, s := range u.streams {
			if !yield(&s.pending) {
				return
			}
		}
		yield(&u.stranded)
	}
}

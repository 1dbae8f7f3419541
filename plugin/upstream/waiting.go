package upstream

import (
	"iter"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/ports"
)

// tablesLocked yields each table of exchanges.
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
		for _, s := range u.conns.open {
			if !yield(&s.pending) {
				return
			}
		}
		yield(&u.waitingForLink)
	}
}

// waitingLocked yields each exchange that is waited for.
func (u *Upstream) waitingLocked() iter.Seq[*Exchange] {
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

// waitForLink has the exchange wait until its link leads to the upstream again.
func (x *Exchange) waitForLink() {
	if !x.u.waitingForLink.Full() {
		x.u.waitingForLink.Add(x, x.u.random)
	}
	x.u.tidySoonLocked(instant.Now())
}

// linkGone reports whether nothing can be sent, for want of the link.
func (u *Upstream) linkGone() bool { return u.link == link.Gone }

// cutOff reports whether nothing can be sent, for want of the link; or nothing over the link
// alone.
func (u *Upstream) cutOff(overLink bool) bool {
	return u.linkGone() || overLink && link.CanBind && u.link == link.Unbound
}

// cutOff reports whether nothing can be sent for the exchange.
func (x *Exchange) cutOff() bool { return x.u.cutOff(x.overLink) }

// down reports whether no reply to the exchange is to be expected.
func (x *Exchange) down() bool { return x.u.known.Down || x.cutOff() }

// patienceLocked is the silence that makes the upstream down.
func (u *Upstream) patienceLocked() time.Duration {
	return u.known.Patience(u.cfg.Patience, u.cfg.Timeout)
}

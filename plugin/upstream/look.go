package upstream

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/ports"
)

// lookEvery is from one look at a link to the next at the least.
const lookEvery = 10 * time.Millisecond

// What is known of a link may be old, for changes come in bursts that are not followed one
// by one. So before an exchange goes without its upstream, because the link is gone or because
// nothing could be sent, the link is looked at anew (R20). A look that began before says
// nothing.

// waitForLook has the exchange wait for a look at the link that begins from now on. It fails
// with err if that finds nothing new; nil: it is cut off. False says that there is no look.
func (x *Exchange) waitForLook(err error, now instant.Time) bool {
	l := &x.u.looks
	if x.u.cfg.LookAtLink == nil || !x.to.Waiting() {
		return false
	}
	l.forget(x)
	if l.waiting == nil {
		l.waiting = make(map[*Exchange]error)
	}
	l.waiting[x] = err
	x.u.planLookLocked(now)
	return true
}

// planLookLocked has the link looked at as soon as may be.
func (u *Upstream) planLookLocked(now instant.Time) {
	if !u.looks.planned {
		u.looks.planned = true
		time.AfterFunc(u.looks.begun.Add(lookEvery).Sub(now), u.look)
	}
}

// look looks at the link for all that wait for that.
func (u *Upstream) look() {
	u.mu.Lock()
	u.looks.begun = instant.Now()
	u.looks.underWay, u.looks.waiting = u.looks.waiting, nil
	u.mu.Unlock()
	u.cfg.LookAtLink()
	var out outbox
	now := instant.Now()
	u.mu.Lock()
	u.lookedLocked(now, &out)
	u.looks.planned = false
	if len(u.looks.waiting) > 0 {
		u.planLookLocked(now)
	}
	u.mu.Unlock()
	u.do(&out)
}

// lookedLocked takes care of those for which a look has found nothing new; all others were asked
// anew. What could not be sent is tried once more: the link may have been away just then.
func (u *Upstream) lookedLocked(now instant.Time, out *outbox) {
	looked := u.looks.underWay
	u.looks.underWay = nil
	for id, x := range u.waitingForLink.All() {
		if _, its := looked[x]; its && !x.cutOff() {
			u.waitingForLink.Remove(id)
		}
	}
	for x, err := range looked {
		switch {
		case x.phase == ended:
		case x.cutOff():
			out.tellHealth(x)
		case ports.Unreachable(err) && !x.wait.triedAgain:
			x.restart(now, out)
			x.wait.triedAgain = true
			out.add(job{kind: againJob, to: x.to})
		default:
			x.step(x.fail(err, out), nil, now, out)
		}
	}
}

package upstream

import (
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

const (
	// signsFor is how long a signed reply shows that the upstream does DNSSEC; its address
	// may be another server's by then.
	signsFor = time.Hour
	// maxWorth is how long a signed reply is waited for at the most (R19).
	maxWorth = 400 * time.Millisecond
	// So many queries an upstream of which nothing is known counts as one that signs. A
	// validator that starts is told otherwise by the quickest, and remembers it.
	trials = 4
)

// dnssec is what is known of an upstream and DNSSEC (R19). Its zero value is that of one
// which was not asked for signatures yet.
type dnssec struct {
	shown time.Time // when a reply last had signatures
	begun time.Time // when it was first asked for them, of the trials
	asked uint8     // times since then, up to trials
}

// known reports whether the upstream has shown lately that it does DNSSEC.
func (d *dnssec) known(now time.Time) bool { return !d.shown.IsZero() && now.Sub(d.shown) < signsFor }

// worth returns how long a reply is worth to be waited for that is due within timeout,
// if the upstream is asked for signatures now. Where nothing is known of it, it is as if
// it were known to sign for some queries, and for all that are asked before a reply to
// the first could be there; and always where only a validator asks, to whom an answer
// without signature is of no use.
func (d *dnssec) worth(qtype uint16, timeout time.Duration, now time.Time) time.Duration {
	timeout = min(timeout, maxWorth)
	if d.known(now) {
		return timeout
	}
	if d.begun.IsZero() || now.Sub(d.begun) >= signsFor {
		d.begun, d.asked = now, 0
	}
	if d.asked < trials {
		d.asked++
		return timeout
	}
	if now.Sub(d.begun) < timeout || qtype == dns.TypeDNSKEY || qtype == dns.TypeDS {
		return timeout
	}
	return 0
}

// Signs reports whether the upstream is known to do DNSSEC, and how long its reply to q,
// which asks for signatures and is asked now, is worth to be waited for by one without
// signatures (R19); zero: it is not.
func (u *Upstream) Signs(q *Query) (known bool, worth time.Duration) {
	now := time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.presence.edns.avoid(now) { // so it is not asked for them
		return false, 0
	}
	timeout := u.rtt.timeout()
	if q.Stream || u.cfg.ForceTCP {
		timeout = u.stallAfterLocked()
	}
	qtype := dns.TypeNone
	if question := wire.Question(q.Msg); question != nil {
		qtype = wire.QuestionType(question)
	}
	return u.presence.dnssec.known(now), u.presence.dnssec.worth(qtype, timeout, now)
}

// learnSigningLocked notes that the upstream signs, if a reply shows it. Signatures that
// are asked for by type anybody has.
func (x *Exchange) learnSigningLocked(reply []byte, now time.Time) {
	d := &x.u.presence.dnssec
	if now.Sub(d.shown) < time.Minute || !wire.DO(x.msg) { // known well enough
		return
	}
	if qtype := x.qtype(); qtype != dns.TypeRRSIG && qtype != dns.TypeANY && wire.Signed(reply) {
		d.shown = now
	}
}

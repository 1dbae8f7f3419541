package known

import (
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

const (
	// signsFor is how long a signed reply shows that the upstream does DNSSEC; its address
	// may be another server's by then.
	signsFor = time.Hour
	// maxWorth is how long a signed reply is waited for at the most (R19).
	maxWorth = 400 * time.Millisecond
	// So many queries an upstream of which nothing is known counts as one that signs. A
	// validator that starts is given the reply of the quickest otherwise, and remembers it.
	trials = 4
)

// DNSSEC is what is known of an upstream and DNSSEC (R19). Its zero value is that of one
// which was not asked for signatures yet.
type DNSSEC struct {
	shown instant.Time // when a reply last had signatures
	begun instant.Time // when it was first asked for them, of the trials
	asked uint8        // times since then, up to trials
}

// Known reports whether the upstream has shown lately that it does DNSSEC.
func (d *DNSSEC) Known(now instant.Time) bool {
	return !d.shown.IsZero() && now.Sub(d.shown) < signsFor
}

// KnownWell reports whether it has shown that just now, so that no reply need be looked at.
func (d *DNSSEC) KnownWell(now instant.Time) bool { return now.Sub(d.shown) < time.Minute }

// Asked reports whether the upstream was ever asked for signatures.
func (d *DNSSEC) Asked() bool { return !d.begun.IsZero() }

// Show notes a reply with signatures that were asked for.
func (d *DNSSEC) Show(now instant.Time) { d.shown = now }

// Worth returns how long a reply is worth to be waited for that is due within timeout, if
// the upstream is asked for signatures now. Where nothing is known of it, it is as if it
// were known to sign for some queries, and for all that are asked before a reply to the
// first could be there; and always where only a validator asks, for which an answer without
// signature is useless.
func (d *DNSSEC) Worth(qtype uint16, timeout time.Duration, now instant.Time) time.Duration {
	timeout = min(timeout, maxWorth)
	if d.Known(now) {
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

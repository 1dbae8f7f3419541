package known

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// What follows is for people, and changes nothing.

// Used reports whether the path has brought a reply, or failed.
func (p *Path) Used() bool { return !p.heard.IsZero() || p.failures > 0 }

// RetryAt is when a path that failed is tried again.
func (p *Path) RetryAt() instant.Time { return p.retry }

// BeginsOverStream reports whether an exchange that wants UDP begins over a stream.
func (f *Facts) BeginsOverStream() bool {
	return f.UDP.blocked(enoughUDP) && !f.Stream.blocked(enoughStream)
}

// AvoidedUntil is until when the upstream is asked without EDNS; Never: it is asked with it.
func (e *EDNS) AvoidedUntil(now instant.Time) instant.Time {
	if e.Avoid(now) {
		return e.plain
	}
	return instant.Never
}

// Smoothed is how long replies take on average; 0: none was timed.
func (r *RTT) Smoothed() time.Duration { return r.smoothed }

// All are the types for which the upstream is unresponsive.
func (t Types) All() (all []uint16) {
	for i := range t {
		if t[i].n >= enoughSilences {
			all = append(all, t[i].qtype)
		}
	}
	return all
}

// All are the names and zones for which the upstream is unresponsive.
func (z Zones) All() (all []string) {
	for zone, s := range z {
		if s.either() {
			all = append(all, zone)
		}
	}
	return all
}

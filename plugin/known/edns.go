package known

import (
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

const (
	// ednsShown is how long a reply with EDNS shows that the upstream knows it.
	ednsShown = time.Hour
	// ednsForgot is how long an upstream that does not take EDNS is asked without; it may
	// be another server by then.
	ednsForgot = 15 * time.Minute
	// So many times in a row a query is asked again without EDNS in vain, and then none
	// for so long: the errors have other reasons. But where no query with it was answered within
	// ednsShown, it may be the reason all the same, and the names have another.
	maxFutile   = 3
	futilePause = time.Minute
	// So many queries in a row have to be answered only when they are asked without EDNS.
	// One may be a name that takes long.
	enoughPlain = 2
)

// EDNS is what is known of an upstream and EDNS (R13): some servers reject it, or fail,
// and some gateways drop what has it.
type EDNS struct {
	shown  instant.Time // when a reply last had it
	taken  instant.Time // when a query with it was last answered, by a reply without
	plain  instant.Time // until then the upstream is asked without
	futile uint8        // queries in a row that were asked again without in vain, up to maxFutile
	pause  instant.Time // until then no query is asked again without
	silent uint8        // queries in a row that were answered only without
}

// Known reports whether the upstream has shown lately that it knows EDNS.
func (e *EDNS) Known(now instant.Time) bool { return !e.shown.IsZero() && now.Sub(e.shown) < ednsShown }

// KnownWell reports whether it has shown that just now, so that no reply need be looked at.
func (e *EDNS) KnownWell(now instant.Time) bool { return now.Sub(e.shown) < time.Minute }

// Avoid reports whether the upstream should be asked without.
func (e *EDNS) Avoid(now instant.Time) bool { return now.Before(e.plain) }

// Rejected reports whether a reply of that code to a query with EDNS may be due to that,
// so that it is worth asking without.
func (e *EDNS) Rejected(rcode int, now instant.Time) bool {
	switch {
	case rcode == dns.RcodeBadVers:
		return true
	case now.Before(e.pause):
		return false
	case rcode == dns.RcodeServerFailure:
		return !e.Known(now)
	}
	return rcode == dns.RcodeFormatError || rcode == dns.RcodeNotImplemented
}

// AskedAgain notes with which code a query without EDNS was answered that had been
// rejected with it. It reports whether that was in vain.
func (e *EDNS) AskedAgain(rejected, rcode int, now instant.Time) (futile bool) {
	if InVain(rejected, rcode) {
		if e.futile = min(e.futile+1, maxFutile); e.futile == maxFutile && (e.Known(now) || !e.taken.IsZero() && now.Sub(e.taken) < ednsShown) {
			e.futile, e.pause = 0, now.Add(futilePause)
		}
		return true
	}
	e.futile = 0
	if !e.Known(now) { // else it was about something in that query
		e.plain = now.Add(ednsForgot)
	}
	return false
}

// InVain reports whether a query that was rejected with EDNS fared no better without. Another
// failure says that EDNS was the reason, and the name is another matter: so reply servers without
// EDNS that refuse all names but their own.
func InVain(rejected, rcode int) bool {
	return Failure(rcode) && (rcode == rejected || rejected == dns.RcodeServerFailure)
}

// Failure reports whether a code says that the query came to nothing.
func Failure(rcode int) bool {
	switch rcode {
	case dns.RcodeServerFailure, dns.RcodeFormatError, dns.RcodeNotImplemented, dns.RcodeRefused:
		return true
	}
	return false
}

// AnsweredPlain notes a reply without EDNS that came only when a query was sent without.
func (e *EDNS) AnsweredPlain(now instant.Time) {
	if e.silent++; e.silent >= enoughPlain {
		e.silent, e.plain = 0, now.Add(ednsForgot)
	}
}

// Take notes an answer without EDNS to a query with it.
func (e *EDNS) Take(now instant.Time) { e.taken = now }

// Show notes a reply with EDNS.
func (e *EDNS) Show(now instant.Time) { e.shown, e.silent = now, 0 }

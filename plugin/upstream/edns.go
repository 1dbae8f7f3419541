package upstream

import (
	"bytes"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

const (
	// ednsShown is how long a reply with EDNS shows that the upstream knows it.
	ednsShown = time.Hour
	// ednsForgot is how long an upstream that does not take EDNS is asked without; it
	// may be another server by then.
	ednsForgot = 15 * time.Minute
	// So many times in a row a query is asked again without EDNS in vain, and then none
	// for so long: the errors have other reasons.
	maxFutile   = 3
	futilePause = time.Minute
	// So many queries in a row have to be answered only when they are asked without
	// EDNS. One may be a name that takes long.
	enoughPlain = 2
)

// edns is what is known of an upstream and EDNS (R13): some servers reject it, or
// fail, and some gateways drop what has it.
type edns struct {
	shown  time.Time // when a reply last had it
	plain  time.Time // until then the upstream is asked without
	futile uint8     // queries in a row that were asked again without in vain
	pause  time.Time // until then no query is asked again without
	silent uint8     // queries in a row that were answered only without
}

// known reports whether the upstream has shown lately that it knows EDNS.
func (e *edns) known(now time.Time) bool { return !e.shown.IsZero() && now.Sub(e.shown) < ednsShown }

// avoid reports whether the upstream should be asked without.
func (e *edns) avoid(now time.Time) bool { return now.Before(e.plain) }

// rejected reports whether a reply of that code to a query with EDNS may be due to
// that, so that it is worth asking without.
func (e *edns) rejected(rcode int, now time.Time) bool {
	switch {
	case now.Before(e.pause):
		return false
	case rcode == dns.RcodeServerFailure:
		return !e.known(now)
	}
	return rcode == dns.RcodeFormatError || rcode == dns.RcodeNotImplemented || rcode == dns.RcodeBadVers
}

// askedAgain notes with which code a query without EDNS was answered that had been
// rejected with it. It reports whether that was in vain.
func (e *edns) askedAgain(rcode int, now time.Time) (futile bool) {
	if failure(rcode) {
		if e.futile++; e.futile >= maxFutile {
			e.futile, e.pause = 0, now.Add(futilePause)
		}
		return true
	}
	e.futile = 0
	if !e.known(now) { // else it was about something in that query
		e.plain = now.Add(ednsForgot)
	}
	return false
}

// failure reports whether a code says that the query came to nothing.
func failure(rcode int) bool {
	switch rcode {
	case dns.RcodeServerFailure, dns.RcodeFormatError, dns.RcodeNotImplemented, dns.RcodeRefused:
		return true
	}
	return false
}

// answeredPlain notes a reply without EDNS that came only when a query was sent
// without.
func (e *edns) answeredPlain(now time.Time) {
	if e.silent++; e.silent >= enoughPlain {
		e.silent, e.plain = 0, now.Add(ednsForgot)
	}
}

// show notes a reply with EDNS.
func (e *edns) show(now time.Time) { e.shown, e.silent = now, 0 }

// avoidEDNSLocked takes EDNS from a query that has yet to be sent, if the upstream
// does not take it.
func (x *Exchange) avoidEDNSLocked(now time.Time) {
	if !x.u.presence.edns.avoid(now) {
		return
	}
	if plain := wire.WithoutOPT(x.msg); plain != nil {
		x.msg = plain
	}
}

// lastPacketPlainLocked takes EDNS from the last packet that is sent, if nothing has
// shown that the upstream knows it.
func (x *Exchange) lastPacketPlainLocked(now time.Time) {
	if x.plain != asIs || x.u.presence.edns.known(now) {
		return
	}
	if plain := wire.WithoutOPT(x.msg); plain != nil {
		x.full, x.msg, x.plain = x.msg, plain, onlyLast
	}
}

// rejectsEDNSLocked learns from a reply what the upstream makes of EDNS, and reports
// whether the query is to be asked again, without it.
func (x *Exchange) rejectsEDNSLocked(reply []byte, now time.Time) bool {
	e := &x.u.presence.edns
	switch {
	case x.plain == rejected:
		if e.askedAgain(wire.Rcode(reply), now) && wire.HasOPT(x.spare) {
			e.show(now)
		}
		return false
	case x.plain == onlyLast && !wire.HasOPT(reply):
		e.answeredPlain(now)
		return false
	case wire.Header(x.msg).Additionals() == 0:
		return false
	}
	rcode := wire.Header(reply).Rcode()
	if rcode == dns.RcodeSuccess || rcode == dns.RcodeNameError {
		if now.Sub(e.shown) < time.Minute {
			return false // known well enough
		}
		if !wire.HasOPT(reply) {
			return false
		}
		if rcode = wire.Rcode(reply); rcode != dns.RcodeBadVers {
			e.show(now)
		}
	}
	if !e.rejected(rcode, now) {
		return false
	}
	plain := wire.WithoutOPT(x.msg)
	if plain == nil {
		return false
	}
	x.msg, x.plain = plain, rejected
	x.spare = bytes.Clone(reply) // which says more than that to the query without
	return true
}

// plainness says why a query goes without EDNS.
type plainness uint8

const (
	asIs     plainness = iota // it does not, or the client asked so
	onlyLast                  // its last packet over UDP
	rejected                  // it was rejected with EDNS
)

package handler

import (
	"strconv"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/history"
	"github.com/dnsmus/dnsmus/plugin/outcome"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

func qtypeOf(question []byte) uint16 { return wire.QuestionType(question) }

func idText(id uint64) string { return strconv.FormatUint(id, 16) }

// rememberRace remembers a race, unless there are very many like it. It is not inlined, for stacks
// of those that ask are small.
//
//go:noinline
func (h *Handler) rememberRace(t *pool.Told) {
	name := pool.NameOf(t.Question)
	if table := h.control.Memory.History(); table.Wants(name, t.At) {
		table.Add(remember(t, name, h.cfg.NegativeTTL))
	}
}

// remember is what is remembered of a race for a name; negative is how long clients may keep a
// denial.
func remember(t *pool.Told, name []byte, negative time.Duration) history.Race {
	r := history.Race{
		ID: t.ID, At: t.At, Name: name, Type: qtypeOf(t.Question),
		Verdict: t.Verdict, Asked: outcome.Asked(t.Result), Change: outcome.Changed(t.Result),
		Conclusive: t.Conclusive(), Filtered: t.Filtered, Final: t.Final, Differ: t.Differ,
		Took: t.Took, TTL: -1,
	}
	if ttl, ok := t.LeastTTL(negative); ok {
		r.TTL = int64(ttl)
	}
	if t.KeptFor > 0 {
		r.Kept = t.At.Add(t.KeptFor)
	}
	switch {
	case t.Stale != nil:
		r.Verdict, r.By, r.TTL = t.Stale.Verdict, pool.Names(t.Stale.Givers), cache.StaleTTL
	case t.Leg >= 0:
		ttl, _, _ := wire.OPT(t.Msg)
		r.Rcode, r.By = uint16(wire.Header(t.Msg).Rcode())|uint16(ttl>>24<<4), t.Members[t.Leg].String()
	case !t.Proven && t.Verdict != race.Untrusted:
		r.Rcode = dns.RcodeServerFailure
	}
	r.Legs = make([]history.Leg, len(t.Among()))
	t.Race.EachLeg(func(i int, leg *race.LegReport) {
		if i >= len(r.Legs) {
			return
		}
		l := &r.Legs[i]
		rememberLeg(l, leg)
		l.Upstream, l.Winner = t.Among()[i].String(), i == t.Leg && t.Stale == nil
		if i < len(t.Errs) && t.Errs[i] != nil {
			l.Because(t.Errs[i])
		}
	})
	return r
}

func rememberLeg(l *history.Leg, leg *race.LegReport) {
	l.Verdict, l.Down, l.Unasked, l.Late, l.Stream, l.Alias = leg.Verdict, leg.Down, leg.Unasked, leg.Late, leg.Stream, leg.Alias
	switch {
	case leg.Msg != nil:
		ttl, options, _ := wire.OPT(leg.Msg)
		l.Reply(wire.Header(leg.Msg).Rcode()|int(ttl>>24<<4), leg.After)
		if len(options) > 0 {
			l.Filter = race.Filtered(leg.Msg, leg.Verdict)
			wire.ExtendedErrors(leg.Msg, func(code uint16, text []byte) bool {
				l.Says(extendedError(code, text))
				return false
			})
		}
	case !leg.At.IsZero():
		l.Fails(leg.After)
	default:
		l.Pends()
	}
}

// extendedError is an extended error in words (RFC 8914).
func extendedError(code uint16, text []byte) []byte {
	words, known := dns.ExtendedErrorCodeToString[code]
	if !known {
		words = "extended error " + strconv.Itoa(int(code))
	}
	if len(text) > 0 {
		words += " (" + string(text) + ")"
	}
	return []byte(words)
}

// note remembers a query that was no race: dnsmus itself has answered it, or has refused it.
func (h *Handler) note(question []byte, verdict race.Verdict, rcode int, change string, ttl int64) {
	c := h.control
	if c == nil || question == nil {
		return
	}
	name, now := pool.NameOf(question), time.Now()
	if !c.Memory.History().Wants(name, now) {
		return
	}
	c.Memory.History().Add(history.Race{
		ID: pool.NextID(), At: now, Name: name, Type: qtypeOf(question),
		Verdict: verdict, Rcode: uint16(rcode), Asked: api.AskedNone, Change: change, Conclusive: true, TTL: ttl,
	})
}

// noteRefused remembers a query that was refused because too many were under way.
func (h *Handler) noteRefused(r *dns.Msg) {
	if h.control == nil {
		return
	}
	var buf [300]byte
	if question, ok := packQuestion(buf[:], r.Question[0]); ok {
		h.note(question, race.Refused, dns.RcodeRefused, api.ChangedRefused, -1)
	}
}

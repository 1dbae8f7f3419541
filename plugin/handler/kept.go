package handler

import (
	"context"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/cache"
)

// answerKept answers r with what is kept, and reports whether there was something (R24).
func (h *Handler) answerKept(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) bool {
	flags, ok := keyed(r, h.cfg.TrustAD)
	if !ok {
		return false
	}
	var buf [300]byte
	question, ok := packQuestion(buf[:], r.Question[0])
	if !ok {
		return false
	}
	kept, age, state := h.pool.Kept(question, flags, time.Now())
	m := h.metrics.of(ctx)
	switch state {
	case cache.Alive:
		m.hits[kept.Kind].Inc()
		if kept.Due(age) {
			h.renew(w, r)
		}
	case cache.Held:
		m.stale.Inc()
		age = staleAge
	default:
		m.misses.Inc()
		return false
	}
	if h.writeKept(ctx, w, r, question, kept, age) != nil {
		return false
	}
	if h.watched() {
		h.publishKept(question, kept, age)
	}
	return true
}

// keyed reports whether a reply to r may be given to others, and what of r's flags changes it:
// r wants recursion, and has nothing after its question but, perhaps, EDNS with options that
// stay on this hop. See [cache.Keyed] for what is asked of upstreams.
func keyed(r *dns.Msg, trustAD bool) (f cache.Flags, ok bool) {
	if !r.RecursionDesired || len(r.Answer)+len(r.Ns) > 0 || len(r.Extra) > 1 {
		return 0, false
	}
	if r.CheckingDisabled {
		f |= cache.CD
	}
	if trustAD && r.AuthenticatedData {
		f |= cache.AD
	}
	if len(r.Extra) == 0 {
		return f, true
	}
	opt, ok := r.Extra[0].(*dns.OPT)
	if !ok {
		return 0, false
	}
	for _, o := range opt.Option {
		if !ofOneHop(o) {
			return 0, false
		}
	}
	if opt.Do() {
		f |= cache.DO
	}
	return f, true
}

// renew asks for a reply to r again, in the background.
func (h *Handler) renew(w dns.ResponseWriter, r *dns.Msg) {
	c, err := newClient(w, r, &h.cfg.Values)
	if err == nil && h.pool.Renew(c.Detached()) {
		renewed.Inc()
	}
}

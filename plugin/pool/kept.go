package pool

import (
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/cache"
)

// newCache returns a cache for the pool's replies; nil: nothing is kept.
func (p *Pool) newCache() *cache.Cache[*Member] {
	if p.cfg.Cache == 0 {
		return nil
	}
	return cache.New(cache.Config[*Member]{
		Entries: p.cfg.Cache,
		Same:    (*Member).same,
		MayKnow: p.mayKnow,
		Ended:   p.cfg.Ended,
		Evicted: p.cfg.Evicted,
	})
}

// mayKnow reports whether an upstream may know names in the zone of a question: it has lately
// shown that it does, or has never shown that it does not.
func (p *Pool) mayKnow(m *Member, question []byte) bool {
	s := p.set.Load().route(question)
	i := slices.Index(s.members, m)
	if i < 0 || s.zones == nil {
		return true
	}
	zone := s.zones.Standing(question, time.Now())
	return zone.Lately.Has(i) || !zone.Replied.Has(i)
}

// Kept returns what is kept for a question, how old it is, and what may be done with it.
func (p *Pool) Kept(question []byte, f cache.Flags, now time.Time) (*Kept, time.Duration, cache.State) {
	e, age, state := p.cache.Get(question, f, now)
	if state == cache.Alive && p.disproved(e, question, f, now) {
		return nil, 0, cache.None
	}
	if state == cache.Alive || state == cache.Held { // so nobody is asked
		p.wanted(now)
	}
	return e, age, state
}

// disproved reports whether a denial of a name is kept that was found to exist since (R18).
func (p *Pool) disproved(e *Kept, question []byte, f cache.Flags, now time.Time) bool {
	if !e.Verdict.DeniesName() || f&cache.DO != 0 && e.Signed() {
		return false
	}
	return p.set.Load().route(question).disproves(e.Verdict, question, now)
}

// wanted tells all upstreams, once a second at most, that there are clients.
func (p *Pool) wanted(now time.Time) {
	second := now.Unix()
	if last := p.told.Load(); last == second || !p.told.CompareAndSwap(last, second) {
		return
	}
	for _, m := range p.Members() {
		m.Wanted()
	}
}

// KeptReplies is the number of replies that are kept.
func (p *Pool) KeptReplies() int {
	if p.cache == nil {
		return 0
	}
	return p.cache.Len()
}

// keep keeps the outcome of the race.
func (c *call) keep(now time.Time) {
	k := c.keeping
	if k == nil || c.Stale != nil || c.race.setup().Final || c.race.hasStaleEnd() {
		return
	}
	r := cache.Reply[*Member]{
		Result:   c.Result.Result,
		Max:      c.MaxTTL(c.set.cfg.NegativeTTL),
		Negative: c.set.cfg.NegativeTTL,
		Among:    c.Members,
		Epoch:    k.epoch,
	}
	switch {
	case c.Leg >= 0:
		r.Givers = c.Givers()
	case !c.Proven:
		r.Rcode = dns.RcodeServerFailure
	}
	if !c.Conclusive() && (c.Leg < 0 || c.Inconclusive()) {
		code, text := c.ExtendedError()
		r.Error = cache.AppendError(nil, code, text)
	}
	c.KeptFor = k.cache.Put(k.question, k.flags, r, now)
}

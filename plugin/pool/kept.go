package pool

import (
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// maxRenewals is how many answers are asked for again at a time, before their end.
const maxRenewals = 100

// Kept is a reply that is kept.
type Kept = cache.Entry[*Member]

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

// same reports whether two members are one upstream: it may have left the list in between.
func (m *Member) same(other *Member) bool { return m == other || m.Server.Equal(other.Server) }

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
	if state == cache.Alive || state == cache.Held { // so nobody is asked
		p.wanted(now)
	}
	return e, age, state
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

// Renew asks for what is kept again, before its end, and does not wait for that. It reports
// whether it does so: not more than some are asked for at a time.
func (p *Pool) Renew(q Query) bool {
	if p.renewals.Add(1) > maxRenewals {
		p.renewals.Add(-1)
		return false
	}
	go func() {
		defer p.renewals.Add(-1)
		p.Ask(q, nil)
	}()
	return true
}

// keeping is what a call has to do with the cache; nil: nothing is kept of it.
type keeping struct {
	cache    *cache.Cache[*Member]
	question []byte
	flags    cache.Flags
	epoch    uint64
	old      *Kept // an answer whose life has ended, to be given if its giver is away; nil: none
}

// keeping is what a race that is about to begin has to do with the cache. It is to be called
// before the race's upstreams are chosen: so a change that comes between counts as one after.
func (p *Pool) keeping() *keeping {
	if p.cache == nil {
		return nil
	}
	return &keeping{cache: p.cache, epoch: p.cache.Epoch()}
}

// of says what the race asks, and returns k, or nil if nothing is kept of that.
func (k *keeping) of(query []byte, trustAD bool) *keeping {
	if k == nil {
		return nil
	}
	ok := false
	if k.question, k.flags, ok = cache.Keyed(query); !ok {
		return nil
	}
	if !trustAD { // then it is the same for all
		k.flags &^= cache.AD
	}
	k.look()
	return k
}

// look looks up the answer that may be given if its giver is away.
func (k *keeping) look() {
	old, _, state := k.cache.Get(k.question, k.flags, time.Now())
	k.old = nil
	if state != cache.None && old.Kind == cache.Answer {
		k.old = old
	}
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
	k.cache.Put(k.question, k.flags, r, now)
}

// hear hears an upstream's reply to what is asked, which may come after the race.
func (k *keeping) hear(by *Member, verdict race.Verdict, late bool) {
	if k == nil {
		return
	}
	if verdict.Negative() {
		k.cache.Denied(k.question, by)
	}
	if late && (verdict.Negative() || verdict == race.Good) {
		k.cache.Heard(k.question)
	}
}

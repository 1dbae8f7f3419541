package pool

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

const (
	// clientWait is how long clients wait for a race while there is an answer whose life has
	// ended (RFC 8767, section 5).
	clientWait = 1800 * time.Millisecond
	// leftFor is how long an upstream that left the list is away rather than gone: it may come
	// back, as one of a VPN that connects anew.
	leftFor = time.Minute
	// maxRenewals is how many answers are asked for again at a time, before their end.
	maxRenewals = 100
)

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
	return p.cache.Get(question, f, now)
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

// wait is how long clients wait for the race.
func (k *keeping) wait() time.Duration {
	if k == nil || k.old == nil {
		return race.Forever
	}
	return clientWait
}

// outlived gives what was kept in the place of a race's outcome, and reports that, if that is
// no good answer because the giver is away (RFC 8767, section 4).
func (c *call) outlived(now time.Time) bool {
	k := c.keeping
	if k == nil || c.Verdict == race.Good || c.Verdict == race.Truncated {
		return false
	}
	k.look() // it may have been denied meanwhile
	if k.old == nil || !c.giversAway(k.old, now) {
		return false
	}
	k.old.Hold(k.epoch, now)
	c.Stale = k.old
	return true
}

// giversAway reports whether some giver of an answer said nothing about its name in this race,
// and none denies it: it is down, failed or was silent, or has left the list just now. Those
// that gave what the name is an alias of are asked about that if the alias is still there.
func (c *call) giversAway(old *Kept, now time.Time) (away bool) {
	if len(c.Errs) == 0 { // the outcome is final
		return false
	}
	members, errs := c.Members, c.Errs
	for n, giver := range old.Givers {
		if end := c.race.given; n == 1 && end != nil && end.res != nil {
			members, errs = end.res.Members, end.res.Errs
		}
		i := slices.IndexFunc(members[:len(errs)], giver.same)
		switch gone := i >= 0 && errs[i] != nil || i < 0 && giver.leftWithin(leftFor, now); {
		case gone && n == 0:
			return true
		case gone:
			away = true
		case n > 0 || len(old.Givers) == 1 || i < 0 || !c.hasAlias(i):
			return false
		}
	}
	return away
}

// hasAlias reports whether a leg's upstream itself has said that the name is an alias.
func (c *call) hasAlias(leg int) bool {
	if leg >= len(c.race.Members) { // it was asked for the end alone
		return false
	}
	verdict, _ := c.race.race.Reply(leg)
	return verdict.Wins() || verdict == race.NXDomainChain
}

// hasOther reports whether clients are given an answer that is kept for another type of the
// name: some take the denial of one type for that of all.
func (c *call) hasOther(now time.Time) bool {
	k := c.keeping
	if k == nil {
		return false
	}
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		if qtype == wire.QuestionType(k.question) {
			continue
		}
		other := bytes.Clone(k.question)
		binary.BigEndian.PutUint16(other[len(other)-4:], qtype)
		old, _, state := k.cache.Get(other, k.flags, now)
		if state != cache.None && old.Kind == cache.Answer && (state == cache.Alive || c.giversAway(old, now)) {
			return true
		}
	}
	return false
}

// leftWithin reports whether the upstream has left the list, not longer ago than that.
func (m *Member) leftWithin(d time.Duration, now time.Time) bool {
	left := m.left.Load()
	return left != nil && now.Sub(*left) < d
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

package pool

import (
	"cmp"
	"time"

	"github.com/dnsmus/dnsmus/plugin/knowledge"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// plan sets by what is known whom to ask first, and whose answer is better. All are asked at
// once if the client wants signatures, for only some may sign (R19), and for a name of which
// one denial is final (R14).
func (c *call) plan(watched bool) {
	setup := c.race.setup()
	setup.Watched = watched || c.set.zones != nil
	if c.set.zones != nil {
		if c.question = wire.Question(c.race.plain.Msg); c.question != nil && !setup.Final {
			c.Plan, setup.Prefer = c.consult(time.Now())
		}
	}
	if setup.DNSSEC {
		c.Plan = race.Plan{}
	} else if !setup.Final {
		setup.Others = c
	}
	setup.Plan = c.Plan
}

// consult returns what follows from what is known of the question's zone and name.
func (c *call) consult(now time.Time) (plan race.Plan, prefer *race.Preference) {
	cfg := c.set.cfg
	s := c.set.standing(c.question, cfg.Learn > 0, now)
	c.Differ = s.Differ != 0 && cfg.Learns()
	if cfg.Learn == 0 && cfg.Prefer == option.None {
		return plan, nil
	}
	view := c.set.view(c.question, s, now)
	if cfg.Learn > 0 {
		plan = c.set.plan(c.question, s, view, now)
		c.Survey = !s.Surveyed && s.Lead >= 0
	}
	return plan, c.set.preference(s, view)
}

// standing is what is known of a question's zone. If races are planned by it, this one is
// counted.
func (s *set) standing(question []byte, plans bool, now time.Time) knowledge.Standing {
	if plans {
		return s.zones.Enter(question, now)
	}
	return s.zones.Standing(question, now)
}

// plan says whom to ask first (R16).
func (s *set) plan(question []byte, known knowledge.Standing, view int, now time.Time) race.Plan {
	if !known.Surveyed || known.Knows == 0 {
		return race.Plan{}
	}
	past := s.names.Past(question, now)
	if s.zones.ReturnedSince(past.Since) {
		past.Denied = 0
	}
	cfg := s.cfg
	inOrder := cfg.Prefer == option.Order
	var buf [8]race.Candidate
	candidates := buf[:0]
	for i, m := range s.members {
		c := race.Candidate{Knows: known.Knows.Has(i), Owner: past.Owners.Has(i), Denied: past.Denied.Has(i)}
		c.View = i == view || cfg.Prefer == option.Private && known.Private.Has(i) && known.Differ.Has(i)
		if c.Knows {
			c.Median, c.P95 = s.latencies[i].Median(), s.latencies[i].P95()
		}
		c.Up = (c.Knows || c.View || c.Owner || inOrder) && m.Up(question)
		candidates = append(candidates, c)
	}
	plan := race.Basis{Surveyed: true, Lead: known.Lead, LeadAlone: known.Alone, InOrder: inOrder, Candidates: candidates}.Plan()
	plan.Hedge = cmp.Or(cfg.Hedge, plan.Hedge)
	return plan
}

// preference says which good answers are better (R17); nil: none, because all upstreams have
// replied in the zone and none differ.
func (s *set) preference(known knowledge.Standing, view int) *race.Preference {
	cfg := s.cfg
	if cfg.Prefer == option.None {
		return nil
	}
	p := &race.Preference{Grace: cmp.Or(cfg.Grace, grace), Private: cfg.Prefer == option.Private, Expected: make([]race.Expectation, len(s.members))}
	some := false
	for i := range p.Expected {
		replied := known.Replied.Has(i) || i >= knowledge.MaxUpstreams
		differs := known.Differ.Has(i)
		e := race.Expectation{Rank: race.NoRank}
		switch {
		case i == view:
			e = race.Expectation{Rank: race.ViewRank, Differs: true}
		case p.Private && (!replied || differs && known.Private.Has(i)):
			e = race.Expectation{Rank: race.PrivateRank, Differs: differs}
		case !p.Private && (!replied || differs):
			e = race.Expectation{Rank: race.OrderRank(i), Differs: differs}
		}
		if e.Rank != race.NoRank {
			some, e.Wait = true, s.betterWait(i)
		}
		p.Expected[i] = e
	}
	if !some {
		return nil
	}
	return p
}

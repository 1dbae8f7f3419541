package pool

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/knowledge"
	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// newSet returns a set of upstreams, of which nothing is known yet but the domains of
// their links.
func (p *Pool) newSet(members []*Member, domainsOf [][]string) *set {
	s := p.newKnowledge(members)
	s.domains = domainsOf
	s.route()
	return s
}

// newKnowledge returns upstreams of which nothing is known yet.
func (p *Pool) newKnowledge(members []*Member) *set {
	s := &set{members: members, pool: p}
	if p.cfg.Learns() {
		s.zones = knowledge.NewZones(len(members), p.cfg.Age())
		s.paces = make([]knowledge.Pace, len(members))
	}
	return s
}

// KnownZones is how many zones something is known of.
func (p *Pool) KnownZones() (n int) {
	for _, z := range p.set.Load().allZones() {
		n += z.Len()
	}
	return n
}

// allZones is what is learned about zones, by upstreams that are asked together.
func (s *set) allZones() (all []*knowledge.Zones) {
	for _, part := range append([]*set{s}, s.parts...) {
		if part.zones != nil {
			all = append(all, part.zones)
		}
	}
	return all
}

// noticing returns an observer that tells the pool of upstreams that return.
func (p *Pool) noticing(o upstream.Observer) upstream.Observer {
	if o == nil || !p.cfg.Learns() {
		return o
	}
	return returns{o, p}
}

type returns struct {
	upstream.Observer
	pool *Pool
}

// Up implements upstream.Observer.
func (r returns) Up(turn uint64, after time.Duration) {
	r.returned()
	r.Observer.Up(turn, after)
}

// Link implements upstream.Observer.
func (r returns) Link(state link.State, turn uint64) {
	if turn > 0 && state != link.Gone {
		r.returned()
	}
	r.Observer.Link(state, turn)
}

func (r returns) returned() {
	for _, z := range r.pool.set.Load().allZones() {
		z.Returned(time.Now())
	}
}

// start begins the call's race, as is best by what is known. Who asks for signatures has
// everybody asked, for only some may sign (R19); so has who asks for a name of which one
// denial is final (R14).
func (f *call) start(q Query, watched bool) {
	pool := f.set.pool
	f.asking.put(pool, q)
	setup := &f.asking.setup
	setup.Watched = watched || f.set.zones != nil
	if f.set.zones != nil {
		if f.question = wire.Question(f.asking.plain.Msg); f.question != nil && !setup.Final {
			f.Plan, setup.Prefer = f.consult(time.Now())
		}
	}
	if setup.DNSSEC {
		f.Plan = race.Plan{}
	}
	setup.Plan = f.Plan
	f.asking.start(&pool.clock)
}

// consult says whom to ask when, and whose answer is better, by what is known.
func (f *call) consult(now time.Time) (plan race.Plan, prefer *race.Preference) {
	cfg := &f.set.pool.cfg
	s := f.set.standing(f.question, cfg.Learn > 0, now)
	view := -1
	if s.Differ != 0 {
		if by, ok := f.set.names.View(f.question, now); ok {
			view = by
		}
	}
	if cfg.Learn > 0 {
		plan = f.set.plan(cfg, f.question, s, view, now)
	}
	return plan, preference(cfg, len(f.Members), s, view)
}

// standing is what is known of the zone of a question. If races are planned by it, it is
// noted that one begins.
func (s *set) standing(question []byte, plans bool, now time.Time) knowledge.Standing {
	if plans {
		return s.zones.Enter(question, now)
	}
	return s.zones.Standing(question, now)
}

// plan says whom to ask when (R16).
func (s *set) plan(cfg *Config, question []byte, known knowledge.Standing, view int, now time.Time) race.Plan {
	if guess, ok := s.guesses.find(question); ok && known.Heard == 0 {
		known.Surveyed, known.Knows = true, guess
	}
	if !known.Surveyed || known.Knows == 0 {
		return race.Plan{}
	}
	denied, since := s.names.DeniedBy(question, now)
	if s.zones.ReturnedSince(since) {
		denied = 0
	}
	qtype := wire.QuestionType(question)
	var buf [8]race.Runner
	runners := buf[:0]
	for i, m := range s.members {
		r := race.Runner{Knows: known.Knows.Has(i), Denied: denied.Has(i)}
		if r.Knows {
			r.Up, r.Usual, r.Late = m.Up(qtype), s.paces[i].Usual(), s.paces[i].Late()
			r.View = i == view || cfg.Prefer == option.Private && known.Private.Has(i) && known.Differ.Has(i)
		}
		runners = append(runners, r)
	}
	plan := race.Field{Surveyed: true, Lead: known.Lead, InOrder: cfg.Prefer == option.Order, Runners: runners}.Plan()
	plan.Hedge = cmp.Or(cfg.Hedge, plan.Hedge)
	return plan
}

// grace is how long a better answer is waited for (R17).
const grace = 20 * time.Millisecond

// preference says whose good answers are waited for (R17); nil: nobody's, for all have
// been heard, and none differ.
func preference(cfg *Config, n int, known knowledge.Standing, view int) *race.Preference {
	if cfg.Prefer == option.None {
		return nil
	}
	p := &race.Preference{Grace: cmp.Or(cfg.Grace, grace), Private: cfg.Prefer == option.Private, Expected: make([]race.Expectation, n)}
	some := false
	for i := range p.Expected {
		heard := known.Heard.Has(i) || i >= knowledge.MaxUpstreams
		differs := known.Differ.Has(i)
		e := race.Expectation{Rank: race.NoRank}
		switch {
		case i == view:
			e = race.Expectation{Rank: race.ViewRank, Differs: true}
		case p.Private && (!heard || differs && known.Private.Has(i)):
			e = race.Expectation{Rank: race.PrivateRank, Differs: differs}
		case !p.Private && (!heard || differs):
			e = race.Expectation{Rank: race.OrderRank(i), Differs: differs}
		}
		some = some || e.Rank != race.NoRank
		p.Expected[i] = e
	}
	if !some {
		return nil
	}
	return p
}

// learnZone takes down what the replies say of the zone. Replies that still come are
// taken down when they do.
func (f *call) learnZone(now time.Time) {
	f.winner = -1
	f.Unasked = f.asking.race.Unasked()
	if f.Verdict == race.Good {
		f.winner = f.Leg
		private, _ := race.Privacy(f.Msg)
		f.set.zones.Good(f.question, f.winner, private, now)
	}
	f.asking.race.ReportTo(f)
	if first := f.Plan.First; f.Plan.Alone && f.winner >= 0 && f.winner != first {
		if verdict, _ := f.asking.race.Reply(first); verdict == race.None {
			f.set.zones.Missed(f.question, first, f.winner, false, now)
		}
	}
	if f.Leg >= 0 && f.set.pool.cfg.Prefer != option.None {
		f.set.names.Given(f.question, f.Leg, f.Verdict, f.Msg, now)
	}
}

// TakeReply implements race.ReplySink.
func (f *call) TakeReply(i int, verdict race.Verdict, reply []byte, took time.Duration, late bool) {
	now, zones, names := time.Now(), f.set.zones, &f.set.names
	if late {
		names.Heard(f.question, i, verdict, reply, now)
	}
	switch verdict {
	case race.Good:
		f.set.paces[i].Sample(took)
		if i == f.winner {
			return
		}
		private, _ := race.Privacy(reply)
		zones.Good(f.question, i, private, now)
		f.compare(i, reply, now)
	case race.NoDataSOA:
		names.Denied(f.question, i, verdict, reply, f.set.pool.cfg.Age(), now)
		if f.winner >= 0 {
			zones.Heard(f.question, i, now)
		}
	case race.NXDomain, race.NXDomainSOA:
		names.Denied(f.question, i, verdict, reply, f.set.pool.cfg.Age(), now)
		if f.winner >= 0 {
			zones.Missed(f.question, i, f.winner, true, now)
		}
	case race.NXDomainChain, race.NoData, race.CNAMEOnly:
		if f.winner >= 0 {
			zones.Heard(f.question, i, now)
		}
	default: // no opinion
		if f.winner >= 0 && f.Plan.Alone && i == f.Plan.First {
			zones.Missed(f.question, i, f.winner, true, now)
		}
	}
}

// compare tells whether leg i has answered otherwise than the winner.
func (f *call) compare(i int, reply []byte, now time.Time) {
	if f.winner < 0 {
		return
	}
	zones, differ := f.set.zones, f.set.pool.cfg.Differ
	turned := zones.Compared(f.question, f.winner, i, knowledge.Compare(f.Msg, reply), now)
	if turned && differ != nil {
		differ(zones.Name(f.question), f.Members[f.winner], f.Members[i])
	}
}

// away makes a denial a failure if the only upstream that knows the zone is away, as is
// told by why it gave no opinion (R18). It reports whether it is.
func (f *call) away(now time.Time, is func(error) bool) bool {
	switch f.Verdict {
	case race.NXDomain, race.NXDomainSOA, race.NoData, race.NoDataSOA:
	default:
		return false
	}
	if !f.set.pool.cfg.Away || len(f.Errs) == 0 {
		return false
	}
	knower := f.set.zones.Standing(f.question, now).Lately.Sole()
	if knower < 0 || !is(f.Errs[knower]) {
		return false
	}
	errs := make([]error, len(f.Errs))
	errs[knower] = f.Errs[knower]
	f.Result.Result = race.Result{Leg: -1, Verdict: race.ServFail, Errs: errs}
	return true
}

// unreachable reports whether an upstream is down, or failed. What it said itself, or
// leaves unanswered while it answers others, is not that.
func unreachable(err error) bool {
	return err != nil && !slices.ContainsFunc([]error{
		race.ErrSilent, race.ErrUnresponsive, race.ErrUnreadable, race.ErrServFail, race.ErrRefused, race.ErrReferral, race.ErrTruncated, race.ErrUnable,
	}, func(e error) bool { return errors.Is(err, e) })
}

// silent reports whether an upstream said nothing to the end.
func silent(err error) bool { return errors.Is(err, race.ErrSilent) }

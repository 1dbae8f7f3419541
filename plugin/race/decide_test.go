package race

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Legs of a race: one of which nothing has come, and one that has brought a reply.
func is(s status) legState { return legState{status: s} }

func got(after time.Duration, v Verdict) legState {
	return legState{status: replied, at: after, judged: judged{verdict: v}}
}

// Changes of a leg.
func (l legState) withSignature() legState { l.signed = true; return l }
func (l legState) ofFilter() legState      { l.filtered = true; return l }
func (l legState) withAddress(private bool) legState {
	l.addressed, l.private = true, private
	return l
}

func (l legState) askedAt(after time.Duration) legState { l.asked = after; return l }

// doubted is a leg whose upstream is down, but may reply.
func (l legState) doubted() legState { l.doubtful = true; return l }

// worth is a leg whose upstream is known, and whose NODATA, if it is that, was looked at.
func (l legState) worth(answered, sole bool, most time.Duration) legState {
	l.other = &OtherType{answered, sole, most}
	return l
}

// types is an OtherTypes that is not asked here.
type types struct{}

func (types) LookAtTypes([]OtherType) bool { panic("decide asks nobody") }

// signing is a leg whose upstream signs, and is waited for for so long.
func (l legState) signing(wait time.Duration) legState { l.signs, l.signWait = true, wait; return l }

// Decisions. An inconclusive end is one that another reply might have changed.
func won(leg int) decision          { return decision{over: true, winner: leg, sure: true} }
func inconclusive(leg int) decision { return decision{over: true, winner: leg} }
func waits(until time.Duration) decision {
	return decision{winner: -1, again: until}
}

func follows(until time.Duration) decision {
	return decision{winner: -1, again: until, follow: true}
}

var (
	asksOthers = decision{winner: -1, ask: true}
	asksSome   = decision{winner: -1, ask: true, some: true}
	looks      = decision{winner: -1, look: true}
)

// enough is the end by NODATA that needs no other opinion.
func enough(leg int) decision { return decision{over: true, winner: leg, final: true} }

// stateOf is a race that has the timeout. With a hedge it has a plan.
func stateOf(setup Setup, legs ...legState) state {
	setup.Timeout = timeout
	s := state{Setup: setup, deadline: timeout, legs: legs}
	s.Plan.Alone = s.Plan.Hedge > 0
	s.hedgeEnds = s.Plan.Hedge
	return s
}

// othersAsked is the race when those that were put off were asked, the first of the plan
// having been waited for until firstDone; 0: it still is.
func (s state) othersAsked(after, firstDone time.Duration) state {
	s.putOffUntil = after
	s.deadline += after
	s.firstDone, s.firstIdle = firstDone, firstDone != 0
	return s
}

// seenBy is the race when clients have other types of the name from that leg.
func (s state) seenBy(leg int) state { s.view = leg + 1; return s }

func (s state) cancel() state { s.cancelled = true; return s }

func (s state) besides() state { s.beside = true; return s }

func TestDecide(t *testing.T) {
	const (
		hedge = 100 * ms
		grace = 20 * ms
		sign  = 60 * ms
	)
	all := Setup{}
	do := Setup{DNSSEC: true}
	final := Setup{Final: true}
	filters := Setup{Rules: Rules{Filtered: true}}
	first := Setup{Plan: Plan{First: 1, Hedge: hedge}}
	firstFinal := Setup{Plan: Plan{First: 1, Hedge: hedge, Final: true}}
	of := Setup{Others: types{}}
	ofFirst := Setup{Others: types{}, Plan: Plan{First: 1, Hedge: hedge}}
	inOrder := func(differ bool) Setup {
		return Setup{Prefer: &Preference{Grace: grace, Expected: []Expectation{{Rank: OrderRank(0), Differs: differ}, {Rank: OrderRank(1), Differs: differ}, {Rank: OrderRank(2), Differs: differ}}}}
	}
	usually := func(waits ...time.Duration) Setup {
		setup := inOrder(false)
		for i, wait := range waits {
			setup.Prefer.Expected[i].Wait = wait
		}
		return setup
	}
	private := func(ranks ...int) Setup {
		p := &Preference{Grace: grace, Private: true}
		for _, rank := range ranks {
			p.Expected = append(p.Expected, Expectation{Rank: rank, Differs: true})
		}
		return Setup{Prefer: p}
	}

	for _, tc := range []struct {
		what string
		s    state
		now  time.Duration
		want decision
	}{
		// The first good answer.
		{"R2: a good answer wins at once", stateOf(all, is(waiting), got(5*ms, Good), is(down)), 5 * ms, won(1)},
		{"R2: the first of several", stateOf(all, got(9*ms, Good), got(5*ms, Good), got(7*ms, Good)), 9 * ms, won(1)},
		{"R2: of two that came together the first of the list", stateOf(all, is(waiting), got(5*ms, Good), got(5*ms, Good)), 5 * ms, won(1)},
		{"R2: whatever came before", stateOf(all, got(1*ms, Truncated), got(2*ms, NoDataSOA), got(3*ms, Good), is(waiting)), 3 * ms, won(2)},
		{"R2: signatures are nothing to who does not ask for them", stateOf(all, got(1*ms, Good), is(waiting).signing(sign)), 1 * ms, won(0)},

		// The best of the others.
		{"R3: NODATA with SOA, which comes first", stateOf(all, got(1*ms, NoDataSOA), got(2*ms, NXDomainSOA)), 2 * ms, inconclusive(0)},
		{"R3: or last", stateOf(all, got(1*ms, NXDomainSOA), got(2*ms, NoDataSOA)), 2 * ms, inconclusive(1)},
		{"R3: of equals the first of the list", stateOf(all, got(3*ms, NXDomain), got(2*ms, NXDomain), got(1*ms, NXDomain)), 3 * ms, inconclusive(0)},
		{"R3: of equals a signed one", stateOf(do, got(1*ms, NXDomainSOA), got(2*ms, NXDomainSOA).withSignature()), 2 * ms, inconclusive(1)},
		{"R3: no signature makes up for a worse verdict", stateOf(do, got(1*ms, NXDomainSOA).withSignature(), got(2*ms, NXDomainChain)), 2 * ms, inconclusive(1)},
		{"R3: bogus is the worst", stateOf(all, got(1*ms, Bogus), got(2*ms, Refused)), 2 * ms, inconclusive(1)},
		{"R3: and better than nothing", stateOf(all, is(failed), got(2*ms, Bogus)), 2 * ms, inconclusive(1)},

		// The end without a good answer.
		{"R4: who is up is waited for", stateOf(all, got(1*ms, NXDomainSOA), is(waiting)), 1 * ms, waits(timeout)},
		{"R4: until the timeout", stateOf(all, got(1*ms, NXDomainSOA), is(waiting)), timeout, inconclusive(0)},
		{"R4: and not a moment less", stateOf(all, got(1*ms, NXDomainSOA), is(waiting)), timeout - 1, waits(timeout)},
		{"R4: all have replied or failed", stateOf(all, got(1*ms, ServFail), is(failed)), 1 * ms, inconclusive(0)},
		{"R4: all have failed", stateOf(all, is(failed), is(failed)), 1 * ms, inconclusive(-1)},
		{"R4: nobody replied in time", stateOf(all, is(waiting), is(down)), timeout, inconclusive(-1)},
		{"R4: no upstreams", stateOf(all), 0, inconclusive(-1)},
		{"R4: who waits goes away", stateOf(all, got(1*ms, NXDomainSOA), is(waiting)).cancel(), 2 * ms, inconclusive(0)},
		{"R4: before anything came", stateOf(all, is(waiting)).cancel(), 2 * ms, inconclusive(-1)},
		{"R4: a filter's denial", stateOf(filters, is(waiting), got(1*ms, NXDomainSOA).ofFilter(), is(down)), 1 * ms, won(1)},
		{"R4: it is before better ones", stateOf(filters, got(1*ms, NoDataSOA), got(2*ms, NXDomain).ofFilter(), is(waiting)), 2 * ms, won(1)},
		{"R4: the first of several", stateOf(filters, got(2*ms, NoDataSOA).ofFilter(), got(1*ms, NXDomain).ofFilter(), is(waiting)), 2 * ms, won(1)},
		{"R4: the other way round", stateOf(filters, got(1*ms, NXDomain).ofFilter(), got(2*ms, NoDataSOA).ofFilter(), is(waiting)), 2 * ms, won(0)},
		{"R4: a filter's answer", stateOf(filters, is(waiting), got(1*ms, Good).ofFilter(), is(down)), 1 * ms, won(1)},
		{"R4: it waits for no better one", stateOf(Setup{Rules: filters.Rules, Prefer: inOrder(true).Prefer}, is(waiting), got(1*ms, Good).ofFilter(), is(waiting)), 1 * ms, won(1)},
		{"R4: nor for a signature", stateOf(Setup{Rules: filters.Rules, DNSSEC: true}, got(1*ms, Good).ofFilter(), is(waiting).signing(sign)), 1 * ms, won(0)},
		{"R4: a good answer is before it", stateOf(filters, got(1*ms, NXDomain).ofFilter(), got(2*ms, Good), is(waiting)), 2 * ms, won(1)},

		// NODATA of an upstream that has the name.
		{"R4: NODATA is looked at", stateOf(of, got(1*ms, NoDataSOA), is(waiting)), 1 * ms, looks},
		{"R4: not beside a good answer", stateOf(of, got(1*ms, NoDataSOA), got(2*ms, Good), is(waiting)), 2 * ms, won(1)},
		{"R4: each reply is", stateOf(of, got(1*ms, NoDataSOA).worth(false, false, 0), got(2*ms, NoDataSOA), is(waiting)), 2 * ms, looks},
		{"R4: NODATA without SOA is not", stateOf(of, got(1*ms, NoData), is(waiting)), 1 * ms, waits(timeout)},
		{"R4: nor when nobody knows of other types", stateOf(all, got(1*ms, NoDataSOA), is(waiting)), 1 * ms, waits(timeout)},
		{"R4: it waits for all if its upstream never answered", stateOf(of, got(1*ms, NoDataSOA).worth(false, false, 0), is(waiting).worth(true, false, -1)), 1 * ms, waits(timeout)},
		{"R4: else for others as long as they usually take", stateOf(of, got(1*ms, NoDataSOA).worth(true, false, 0), is(waiting).worth(true, false, 30*ms), is(waiting).worth(false, false, 20*ms)), 1 * ms, waits(30 * ms)},
		{"R4: and no longer", stateOf(of, got(1*ms, NoDataSOA).worth(true, false, 0), is(waiting).worth(true, false, 30*ms)), 30 * ms, enough(0)},
		{"R4: a slow one is not waited for", stateOf(of, got(1*ms, NoDataSOA).worth(true, false, 0), is(waiting).worth(true, false, -1), is(down).worth(true, false, 0)), 1 * ms, enough(0)},
		{"R4: one that may make the record is, to the end", stateOf(of, got(1*ms, NoDataSOA).worth(true, false, 0), is(waiting)), 50 * ms, waits(timeout)},
		{"R4: which it is then", stateOf(of, got(1*ms, NoDataSOA).worth(true, false, 0), is(waiting)), timeout, enough(0)},
		{"R4: the only knower's waits for no others", stateOf(of, got(9*ms, NoDataSOA).worth(true, true, 0), is(waiting).worth(true, false, 30*ms)), 9 * ms, enough(0)},
		{"R4: but for those that may make it", stateOf(of, got(9*ms, NoDataSOA).worth(true, true, 0), is(waiting).worth(true, false, 30*ms), is(waiting)), 9 * ms, waits(timeout)},
		{"R4: the knower's counts before others'", stateOf(of, got(1*ms, NoDataSOA).worth(true, false, 0), got(9*ms, NoDataSOA).worth(true, true, 0), is(waiting).worth(true, false, 30*ms)), 9 * ms, enough(1)},
		{"R4: the only knower must have answered", stateOf(of, got(9*ms, NoDataSOA).worth(false, true, 0), is(waiting).worth(true, false, -1)), 9 * ms, waits(timeout)},
		{"R4: a truncated reply is better", stateOf(of, got(1*ms, NoDataSOA).worth(true, true, 0), got(2*ms, Truncated), is(waiting).worth(true, false, -1)), 2 * ms, waits(timeout)},
		{"R4: denials are worse", stateOf(of, got(1*ms, NXDomainChain), got(2*ms, NoDataSOA).worth(true, false, 0), got(1*ms, NXDomainSOA)), 2 * ms, enough(1)},
		{"R16: the only knower's asks nobody", stateOf(ofFirst, is(unasked).worth(false, false, 30*ms), got(9*ms, NoDataSOA).worth(true, true, 0)), 9 * ms, enough(1)},
		{"R16: but those that may make it", stateOf(ofFirst, is(unasked), got(9*ms, NoDataSOA).worth(true, true, 0)), 9 * ms, asksSome},
		{"R16: that of one of several asks them", stateOf(ofFirst, is(unasked).worth(false, false, 30*ms), got(9*ms, NoDataSOA).worth(true, false, 0)), 9 * ms, asksSome},
		{"R16: and leaves out the rest", stateOf(ofFirst, is(unasked).worth(false, false, -1), got(9*ms, NoDataSOA).worth(true, false, 0), is(waiting).worth(true, false, 20*ms)), 10 * ms, waits(20 * ms)},
		{"R16: which is not asked then either", stateOf(ofFirst, is(unasked).worth(false, false, -1), got(9*ms, NoDataSOA).worth(true, false, 0), got(15*ms, NXDomain)), 15 * ms, enough(1)},
		{"R16: and waits from then on", stateOf(ofFirst, legState{asked: 9 * ms}.worth(false, false, 30*ms), got(9*ms, NoDataSOA).worth(true, false, 0)).othersAsked(9*ms, 9*ms), 10 * ms, waits(39 * ms)},
		{"R16: not if they are slow", stateOf(ofFirst, is(unasked).worth(false, false, -1), got(9*ms, NoDataSOA).worth(true, false, 0)), 9 * ms, enough(1)},
		{"R16: NODATA waits for a race beside it, within the hedge", stateOf(ofFirst, is(unasked), got(9*ms, NoDataSOA).worth(false, false, 0)).besides(), 9 * ms, waits(hedge)},
		{"R16: and no longer", stateOf(ofFirst, is(unasked), got(9*ms, NoDataSOA).worth(false, false, 0)).besides(), hedge, asksOthers},
		{"R16: a denial does not", stateOf(ofFirst, is(unasked), got(9*ms, NXDomainSOA)).besides(), 9 * ms, asksOthers},

		// Those that are down.
		{"R5: who is down is not waited for", stateOf(all, got(1*ms, NXDomainSOA), is(down)), 1 * ms, inconclusive(0)},
		{"R5: but if it may reply", stateOf(all, got(1*ms, NXDomainSOA), is(waiting).doubted()), 1 * ms, waits(timeout)},
		{"R5: then no good answer waits for a better one", stateOf(inOrder(true), is(waiting).doubted(), got(1*ms, Good)), 1 * ms, won(1)},
		{"R5: nor for a signature", stateOf(do, is(waiting).doubted().signing(sign), got(1*ms, Good)), 1 * ms, won(1)},
		{"R5: its answer wins all the same", stateOf(all, got(1*ms, NXDomainSOA), got(2*ms, Good)), 2 * ms, won(1)},
		{"R5: all are", stateOf(all, is(down), is(down)), 1 * ms, waits(timeout)},
		{"R5: all that have not failed are", stateOf(all, is(failed), is(down)), 1 * ms, waits(timeout)},
		{"R5: until one replies", stateOf(all, got(9*ms, ServFail), is(down)), 9 * ms, inconclusive(0)},
		{"R5: one is up", stateOf(all, is(waiting), is(down), got(1*ms, NXDomainSOA)), 1 * ms, waits(timeout)},

		// A denial that is final.
		{"R14: a denial is the reply", stateOf(final, is(waiting), got(1*ms, NXDomain), is(waiting)), 1 * ms, won(1)},
		{"R14: NODATA too", stateOf(final, is(waiting), got(1*ms, NoDataSOA)), 1 * ms, won(1)},
		{"R14: after a good answer", stateOf(final, got(1*ms, Good), got(2*ms, NXDomain), is(waiting)), 2 * ms, won(1)},
		{"R14: the best of several", stateOf(final, got(1*ms, NXDomain), got(1*ms, NoDataSOA), is(waiting)), 1 * ms, won(1)},
		{"R14: a good answer waits for all who are up", stateOf(final, got(1*ms, Good), is(waiting), is(down)), 1 * ms, waits(timeout)},
		{"R14: not for those who are down", stateOf(final, got(1*ms, Good), is(failed), is(down)), 1 * ms, won(0)},
		{"R14: until the timeout", stateOf(final, got(1*ms, Good), is(waiting)), timeout, won(0)},
		{"R14: an error is no denial", stateOf(final, got(1*ms, Good), got(2*ms, ServFail), is(waiting)), 2 * ms, waits(timeout)},
		{"R14: nor is a truncated reply", stateOf(final, got(1*ms, Truncated), is(waiting)), 1 * ms, waits(timeout)},
		{"R14: it waits for no signature", stateOf(Setup{Final: true, DNSSEC: true}, got(1*ms, Good), got(2*ms, NXDomain), is(waiting).signing(sign)), 2 * ms, won(1)},

		// Ends of aliases.
		{"R23: the end of an alias is asked for", stateOf(all, is(aliased), is(waiting)), 1 * ms, follows(timeout)},
		{"R23: even if all have replied", stateOf(all, is(aliased), got(1*ms, NXDomainSOA)), 1 * ms, follows(timeout)},
		{"R23: beside the plan", stateOf(first, is(unasked), is(aliased)), 1 * ms, follows(timeout / 4)},
		{"R23: it is not for one that came after a good answer", stateOf(all, got(1*ms, Good), is(aliased)), 2 * ms, won(0)},
		{"R23: nor at the end", stateOf(all, is(aliased), is(waiting)), timeout, inconclusive(0)},
		{"R23: it is waited for like a reply", stateOf(all, is(following), got(1*ms, NXDomainSOA)), 2 * ms, waits(timeout)},
		{"R23: another's good answer is not held up", stateOf(all, is(following), got(9*ms, Good)), 9 * ms, won(1)},
		{"R23: the end gives a good answer", stateOf(all, got(9*ms, Good), is(waiting)), 9 * ms, won(0)},
		{"R23: it is denied", stateOf(all, got(9*ms, NXDomainChain), got(1*ms, NXDomainSOA)), 9 * ms, inconclusive(0)},
		{"R23: nothing is known of it, which is no denial", stateOf(all, got(9*ms, Broken), got(1*ms, NoDataSOA)), 9 * ms, inconclusive(0)},
		{"R23: and others are waited for", stateOf(all, got(9*ms, Broken), is(waiting)), 9 * ms, waits(timeout)},
		{"R23: no reply for it comes in time", stateOf(all, got(1*ms, NoDataSOA), is(following)), timeout, inconclusive(1)},
		{"R23: an answer that cannot be had is more", stateOf(all, got(1*ms, Truncated), is(following)), timeout, inconclusive(0)},
		{"R23: an alias that the client follows is good", stateOf(all, got(1*ms, Alias), is(waiting)), 1 * ms, won(0)},
		{"R23: if nothing better is there", stateOf(all, got(1*ms, Alias), got(2*ms, Good), is(waiting)), 2 * ms, won(1)},
		{"R23: the others are not asked for what the first has an alias of", stateOf(first, is(unasked), is(following)), 1 * ms, waits(timeout / 4)},
		{"R23: not even when the hedge is over", stateOf(first, is(unasked), is(following)), hedge, waits(timeout / 4)},
		{"R23: but when its end takes long", stateOf(first, is(unasked), is(following)), timeout / 4, asksOthers},
		{"R23: or when its end is denied", stateOf(first, is(unasked), got(9*ms, NXDomainChain)), 9 * ms, asksOthers},
		{"R23: a better answer may come of it", stateOf(inOrder(false), is(following), got(5*ms, Good), is(waiting)), 5 * ms, waits(5*ms + grace)},
		{"R23: who waits goes away", stateOf(all, is(following), got(1*ms, NXDomainSOA)).cancel(), 2 * ms, inconclusive(0)},

		// Those that are put off.
		{"R16: the others wait for the hedge", stateOf(first, is(unasked), is(waiting), is(unasked)), 1 * ms, waits(hedge)},
		{"R16: then they are asked", stateOf(first, is(unasked), is(waiting), is(unasked)), hedge, asksOthers},
		{"R16: they are not asked after a good answer", stateOf(first, is(unasked), got(1*ms, Good)), 1 * ms, won(1)},
		{"R16: not even when the hedge is over", stateOf(first, is(unasked), got(1*ms, Good)), hedge, won(1)},
		{"R16: the first denies the name", stateOf(first, is(unasked), got(1*ms, NXDomainSOA)), 1 * ms, asksOthers},
		{"R16: has no such record", stateOf(first, is(unasked), got(1*ms, NoDataSOA)), 1 * ms, asksOthers},
		{"R16: fails", stateOf(first, is(unasked), is(failed)), 1 * ms, asksOthers},
		{"R16: is down", stateOf(first, is(unasked), is(down)), 1 * ms, asksOthers},
		{"R16: has no such record, and all others have denied the name", stateOf(firstFinal, is(unasked), got(1*ms, NoDataSOA)), 1 * ms, inconclusive(1)},
		{"R16: it shows no SOA", stateOf(firstFinal, is(unasked), got(1*ms, NoData)), 1 * ms, asksOthers},
		{"R16: it denies the name too", stateOf(firstFinal, is(unasked), got(1*ms, NXDomainSOA)), 1 * ms, asksOthers},
		{"R16: it comes when the others were asked", stateOf(firstFinal, is(waiting), got(150*ms, NoDataSOA)).othersAsked(hedge, 150*ms), 150 * ms, waits(hedge + timeout)},
		{"R16: the timeout counts from when the others were asked", stateOf(first, is(waiting), is(failed)).othersAsked(hedge, 50*ms), timeout, waits(hedge + timeout)},
		{"R16: and is the end", stateOf(first, is(waiting), is(failed)).othersAsked(hedge, 50*ms), hedge + timeout, inconclusive(-1)},
		{"R16: one that is down is waited for as long as the first was", stateOf(first, is(down), got(30*ms, NXDomainSOA)).othersAsked(30*ms, 30*ms), 31 * ms, waits(60 * ms)},
		{"R16: as long as the slowest that was asked beside it was", stateOf(first, is(down), got(30*ms, NXDomainSOA), got(45*ms, NXDomainSOA)).othersAsked(30*ms, 30*ms), 61 * ms, waits(75 * ms)},
		{"R16: as the slowest of all was, from when it was asked", stateOf(first, is(down), got(30*ms, NXDomainSOA), got(70*ms, NXDomainSOA).askedAt(30*ms)).othersAsked(30*ms, 30*ms), 69 * ms, waits(70 * ms)},
		{"R16: and no longer", stateOf(first, is(down), got(30*ms, NXDomainSOA)).othersAsked(30*ms, 30*ms), 60 * ms, inconclusive(1)},
		{"R16: it is not when all were asked at once", stateOf(all, is(down), got(30*ms, NXDomainSOA)), 31 * ms, inconclusive(1)},
		{"R16: a filter's denial asks nobody", stateOf(Setup{Rules: filters.Rules, Plan: first.Plan}, is(unasked), got(1*ms, NXDomain).ofFilter()), 1 * ms, won(1)},
		{"R16: nor does who goes away", stateOf(first, is(unasked), is(failed)).cancel(), 1 * ms, inconclusive(-1)},

		// A better answer.
		{"R17: a good answer waits for a better one", stateOf(inOrder(false), is(waiting), got(5*ms, Good), is(waiting)), 5 * ms, waits(5*ms + grace)},
		{"R17: not for long", stateOf(inOrder(false), is(waiting), got(5*ms, Good), is(waiting)), 5*ms + grace, won(1)},
		{"R17: from the first good one on", stateOf(inOrder(false), is(waiting), got(9*ms, Good), got(5*ms, Good)), 9 * ms, waits(5*ms + grace)},
		{"R17: no longer than the race", stateOf(inOrder(false), is(waiting), got(timeout-ms, Good)), timeout - ms, waits(timeout)},
		{"R17: whose end comes", stateOf(inOrder(false), is(waiting), got(timeout-ms, Good)), timeout, won(1)},
		{"R17: who usually takes longer has longer", stateOf(usually(60*ms), is(waiting), got(5*ms, Good), is(waiting)), 25 * ms, waits(60 * ms)},
		{"R17: and no longer", stateOf(usually(60*ms), is(waiting), got(5*ms, Good), is(waiting)), 60 * ms, won(1)},
		{"R17: one that should be there is waited for a little", stateOf(usually(60*ms), is(waiting), got(90*ms, Good)), 90 * ms, waits(90*ms + grace)},
		{"R17: its time begins when it is asked", stateOf(usually(60*ms), is(waiting).askedAt(50*ms), got(55*ms, Good)), 80 * ms, waits(110 * ms)},
		{"R17: of several the one that takes longest", stateOf(usually(30*ms, 60*ms), is(waiting), is(waiting), got(5*ms, Good)), 5 * ms, waits(60 * ms)},
		{"R17: who has a better rank is waited for, and nobody else", stateOf(usually(30*ms, 60*ms), got(5*ms, Good), is(waiting)), 5 * ms, won(0)},
		{"R17: other types come from another one", stateOf(inOrder(false), got(5*ms, Good), got(6*ms, NoDataSOA)).seenBy(1), 6 * ms, won(1)},
		{"R17: which has an answer", stateOf(inOrder(false), got(5*ms, Good), got(6*ms, Good)).seenBy(1), 6 * ms, won(1)},
		{"R17: which is waited for", stateOf(usually(0, 60*ms), got(5*ms, Good), is(waiting)).seenBy(1), 6 * ms, waits(60 * ms)},
		{"R17: which shows no SOA", stateOf(inOrder(false), got(5*ms, Good), got(6*ms, NoData)).seenBy(1), 6 * ms, won(1)},
		{"R17: elsewhere that says nothing", stateOf(inOrder(true), got(6*ms, NoData), got(5*ms, Good), is(waiting)), 6 * ms, won(1)},
		{"R17: which denies the name", stateOf(inOrder(false), got(5*ms, Good), got(6*ms, NXDomainSOA)).seenBy(1), 6 * ms, won(0)},
		{"R17: the better one is there", stateOf(inOrder(false), got(9*ms, Good), got(5*ms, Good), is(waiting)), 9 * ms, won(0)},
		{"R17: the better one is down", stateOf(inOrder(false), is(down), got(5*ms, Good), is(waiting)), 5 * ms, won(1)},
		{"R17: it fails", stateOf(inOrder(false), is(failed), got(5*ms, Good), is(waiting)), 6 * ms, won(1)},
		{"R17: its NODATA is none where nothing differs", stateOf(inOrder(false), got(6*ms, NoDataSOA), got(5*ms, Good), is(waiting)), 6 * ms, won(1)},
		{"R17: it is the answer where answers differ", stateOf(inOrder(true), got(6*ms, NoDataSOA), got(5*ms, Good), is(waiting)), 6 * ms, won(0)},
		{"R17: without a good answer NODATA waits for all", stateOf(inOrder(true), got(6*ms, NoDataSOA), is(waiting), is(failed)), 6 * ms, waits(timeout)},
		{"R17: a denial is never better", stateOf(inOrder(true), got(6*ms, NXDomainSOA), got(5*ms, Good), is(waiting)), 6 * ms, won(1)},
		{"R17: of equals the one that came first", stateOf(private(PrivateRank, PrivateRank, NoRank), got(7*ms, Good).withAddress(true), got(6*ms, Good).withAddress(true), got(5*ms, Good).withAddress(false)), 7 * ms, won(1)},
		{"R17: a private answer", stateOf(private(PrivateRank, NoRank), is(waiting), got(5*ms, Good).withAddress(false)), 5 * ms, waits(5*ms + grace)},
		{"R17: there is one, of whoever it is", stateOf(private(PrivateRank, NoRank), is(waiting), got(5*ms, Good).withAddress(true)), 5 * ms, won(1)},
		{"R17: other types of who has private ones", stateOf(private(PrivateRank, NoRank), got(6*ms, Good), got(5*ms, Good)), 6 * ms, won(0)},
		{"R17: a public one of it is none", stateOf(private(PrivateRank, NoRank), got(6*ms, Good).withAddress(false), got(5*ms, Good).withAddress(false)), 6 * ms, won(1)},
		{"R17: the one that its clients have an answer from", stateOf(private(PrivateRank, ViewRank), got(5*ms, Good).withAddress(true), is(waiting)), 5 * ms, waits(5*ms + grace)},
		{"R17: it comes after a private one", stateOf(private(PrivateRank, ViewRank), got(5*ms, Good).withAddress(true), got(6*ms, Good).withAddress(false)), 6 * ms, won(1)},
		{"R17: has no such record", stateOf(private(PrivateRank, ViewRank), got(5*ms, Good).withAddress(true), got(6*ms, NoDataSOA)), 6 * ms, won(1)},
		{"R17: who waits goes away", stateOf(inOrder(false), is(waiting), got(5*ms, Good)).cancel(), 6 * ms, won(1)},

		// Signatures.
		{"R19: an unsigned answer is held for who signs", stateOf(do, got(5*ms, Good), is(waiting).signing(sign)), 5 * ms, waits(5*ms + sign)},
		{"R19: for as long as that is worth", stateOf(do, got(5*ms, Good), is(waiting).signing(sign)), 5*ms + sign, won(0)},
		{"R19: for the one that is worth it longest", stateOf(do, got(5*ms, Good), is(waiting).signing(sign), is(waiting).signing(2*sign), is(waiting).signing(sign)), 5 * ms, waits(5*ms + 2*sign)},
		{"R19: no longer than the race", stateOf(do, got(timeout-ms, Good), is(waiting).signing(sign)), timeout - ms, waits(timeout)},
		{"R19: whose end comes", stateOf(do, got(timeout-ms, Good), is(waiting).signing(sign)), timeout, won(0)},
		{"R19: a signed one is not", stateOf(do, got(5*ms, Good).withSignature(), is(waiting).signing(sign)), 5 * ms, won(0)},
		{"R19: nor is one of who signs", stateOf(do, got(5*ms, Good).signing(sign), is(waiting).signing(sign)), 5 * ms, won(0)},
		{"R19: who signs is down", stateOf(do, got(5*ms, Good), is(down).signing(sign)), 5 * ms, won(0)},
		{"R19: or has replied", stateOf(do, got(5*ms, Good), got(9*ms, NXDomainSOA).signing(sign)), 9 * ms, won(0)},
		{"R19: another has not", stateOf(do, got(5*ms, Good), got(9*ms, NXDomainSOA).signing(2*sign), is(waiting).signing(sign)), 9 * ms, waits(5*ms + sign)},
		{"R19: nobody signs", stateOf(do, got(5*ms, Good), is(waiting)), 5 * ms, won(0)},
		{"R19: a signed one comes", stateOf(do, got(5*ms, Good), got(9*ms, Good).withSignature(), is(waiting).signing(sign)), 9 * ms, won(1)},
		{"R19: of several the first", stateOf(do, got(5*ms, Good), got(9*ms, Good).withSignature(), got(8*ms, Good).withSignature()), 9 * ms, won(2)},
		{"R19: who waits goes away", stateOf(do, got(5*ms, Good), is(waiting).signing(sign)).cancel(), 6 * ms, won(0)},

		// A reply that cannot be read is a failure, and the race goes on without it.
		{"R2: the winner is discarded, and another good one is there", stateOf(all, is(failed), got(7*ms, Good), got(6*ms, Good)), 8 * ms, won(2)},
		{"R4: it is discarded, and others are waited for", stateOf(all, is(failed), is(waiting), got(6*ms, NXDomain)), 8 * ms, waits(timeout)},
		{"R17: the better one is discarded", stateOf(inOrder(false), legState{status: failed, judged: judged{verdict: Good}}, got(7*ms, Good), is(down)), 8 * ms, won(1)},
		{"R4: the filter's denial is discarded", stateOf(filters, is(failed), is(waiting)), 8 * ms, waits(timeout)},
	} {
		t.Run(tc.what, func(t *testing.T) {
			if got := decide(&tc.s, tc.now); got != tc.want {
				t.Errorf("%s, want %s", got.text(), tc.want.text())
			}
		})
	}
}

func (d decision) text() string {
	switch {
	case d.over:
		return fmt.Sprintf("leg %d has won, sure %v, final %v", d.winner, d.sure, d.final)
	case d.ask:
		return fmt.Sprintf("the others are asked, or some: %v", d.some)
	case d.look:
		return "NODATA is looked at"
	}
	return fmt.Sprintf("waits until %v, ends are to be asked for: %v", d.again, d.follow)
}

// anyState is a race as it may be at some time, and that time.
func anyState(g *rand.Rand) (state, time.Duration) {
	legs := make([]legState, 1+g.IntN(4))
	now := time.Duration(g.IntN(400)) * ms
	setup := Setup{
		Rules:  Rules{Filtered: g.IntN(2) == 0},
		DNSSEC: g.IntN(2) == 0,
		Final:  g.IntN(4) == 0,
	}
	if g.IntN(2) == 0 {
		setup.Plan = Plan{First: g.IntN(len(legs)), Hedge: 100 * ms, Final: g.IntN(2) == 0}
	}
	if g.IntN(3) == 0 {
		setup.Prefer = &Preference{Grace: 20 * ms, Private: g.IntN(2) == 0}
		for range legs {
			setup.Prefer.Expected = append(setup.Prefer.Expected, Expectation{[]int{ViewRank, PrivateRank, NoRank}[g.IntN(3)], g.IntN(2) == 0, time.Duration(g.IntN(3)) * 60 * ms})
		}
	}
	if g.IntN(2) == 0 {
		setup.Others = types{}
	}
	putOff := setup.Plan.Hedge > 0 && g.IntN(2) == 0
	for i := range legs {
		l := got(time.Duration(g.Int64N(int64(now+1))), Verdict(g.IntN(int(Good)+1)))
		l.signed, l.filtered = setup.DNSSEC && g.IntN(2) == 0, setup.Filtered && (l.verdict == Good || l.verdict.Negative()) && g.IntN(2) == 0
		if s := status(g.IntN(int(replied) + 1)); s != replied && s != unasked {
			l = is(s)
		}
		if putOff && i != setup.Plan.First {
			l = is(unasked)
		}
		l.signs, l.signWait = g.IntN(2) == 0, time.Duration(g.IntN(3))*60*ms
		if setup.Others != nil {
			l = l.worth(g.IntN(2) == 0, g.IntN(2) == 0, time.Duration(g.IntN(3)-1)*50*ms)
			if g.IntN(4) == 0 {
				l.other = nil
			}
		}
		legs[i] = l
	}
	s := stateOf(setup, legs...)
	s.beside = g.IntN(2) == 0
	if setup.Plan.Hedge > 0 && !putOff {
		s = s.othersAsked(min(now, 100*ms), time.Duration(g.Int64N(int64(now+1))))
	}
	return s, now
}

// Without an event a decision stays until the time that it names, and not beyond that. A race
// changes by none, and one that is over has as winner who brought a reply, if there is any.
func TestDecideProperty(t *testing.T) {
	for seed := range uint64(20000) {
		g := rand.New(rand.NewPCG(seed, 0))
		s, now := anyState(g)
		legs := fmt.Sprint(s.legs)
		d := decide(&s, now)
		replies := slices.ContainsFunc(s.legs, func(l legState) bool {
			return l.status == replied || l.status == aliased || l.status == following
		})
		switch {
		case d.over && (d.winner >= 0) != replies, d.winner >= 0 && (s.legs[d.winner].status < aliased || s.legs[d.winner].status == failed):
			t.Errorf("seed %d: %s, of %+v", seed, d.text(), s)
		case !d.over && !d.ask && !d.look:
			if d.again <= now {
				t.Fatalf("seed %d: it is %v, and it %s", seed, now, d.text())
			}
			between := now + time.Duration(g.Int64N(int64(d.again-now)))
			if then := decide(&s, between); then != d {
				t.Errorf("seed %d: it %s, but at %v %s", seed, d.text(), between, then.text())
			}
			if then := decide(&s, d.again); !then.over && !then.ask && !then.look {
				t.Errorf("seed %d: it %s, and then %s", seed, d.text(), then.text())
			}
		}
		if fmt.Sprint(s.legs) != legs {
			t.Fatalf("seed %d: the race has changed", seed)
		}
	}
}

// Each reply is decided upon, so that must cost nothing but time.
func TestDecideAllocatesNothing(t *testing.T) {
	s := stateOf(Setup{DNSSEC: true}, got(5*ms, Good), is(waiting).signing(60*ms), got(6*ms, NXDomain))
	var d decision
	if n := testing.AllocsPerRun(100, func() { d = decide(&s, 7*ms) }); n != 0 {
		t.Errorf("%v allocations for %s", n, d.text())
	}
}

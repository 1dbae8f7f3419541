package pool

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/knowledge"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// learn learns from the replies. A denial of a name that is known to exist, or was when the
// race began, or is found to, becomes NODATA (R18). One at the end of aliases stays as it is,
// unless the name has a living answer of another type: it says itself that the name exists.
func (c *call) learn(ctx context.Context, query []byte) {
	if c.pool != nil {
		c.pool.besides.leave(c)
	}
	question := wire.Question(query)
	if question == nil {
		return
	}
	now := c.race.Begun().Add(c.Took)
	for i := range c.set.members {
		verdict, reply := c.race.race.Reply(i)
		if doubtful := c.set.names.Replied(question, i, verdict, reply, now); doubtful != 0 {
			c.confirm(i, doubtful)
		}
	}
	if c.Verdict == race.Good && c.race.given != nil {
		c.set.names.Replied(question, c.Leg, c.Verdict, c.Msg, now)
	}
	if c.Verdict == race.Good {
		c.tellBesides(question)
	}
	if c.question != nil {
		c.learnZone(now)
		if c.outlived(now) {
			return
		}
		if c.Away = c.away(now, unreachable); c.Away {
			return
		}
	}
	if c.Verdict.DeniesName() && !c.race.setup().Final && !keepsDenial(query, c.Msg) && (c.hasOther(now) || c.exists(ctx, question)) {
		c.Result.Result = race.Result{Leg: -1, Verdict: race.NoData, Errs: c.Errs}
		c.Proven, c.Parts = true, nil
		c.set.deniesTypes.Store(true)
	} else if c.question != nil {
		c.Away = c.away(now, silent)
	}
	c.Forged = c.forged(question)
	c.Answered = c.DeniesType() && c.set.names.Answered(question, now)
}

// forged turns a denial into a failure, and reports that, if replies of an upstream that gave
// no opinion may be forged: whoever forges them wants the others to be believed (R9). A name
// that is known to exist is not denied in any case.
func (c *call) forged(question []byte) bool {
	is := func(err error) bool { return errors.Is(err, upstream.ErrForged) }
	if !c.Verdict.Negative() || c.Proven || !slices.ContainsFunc(c.Errs, is) || c.set.names.Exists(question, c.race.Begun()) {
		return false
	}
	c.Result.Result = race.Result{Leg: -1, Verdict: race.ServFail, Errs: c.Errs}
	return true
}

// learnZone learns about the zone from the replies, and from late ones as they come.
func (c *call) learnZone(now time.Time) {
	c.winner = -1
	c.Unasked = c.race.race.Unasked()
	if c.Verdict.Wins() {
		c.winner = c.Leg
		_, own := c.race.race.Reply(c.Leg) // the end of an alias may be another's
		c.learnGood(c.winner, own, now)
	}
	c.countAsked(now)
	c.race.race.ReportTo(c, c.late != nil && c.Verdict.Negative())
	if first := c.Plan.First; c.Plan.Alone && c.winner >= 0 && c.winner != first {
		if verdict, _ := c.race.race.Reply(first); verdict == race.None {
			own := c.set.names.Past(c.question, now).Owners.Has(first)
			c.set.zones.Missed(c.question, first, c.winner, knowledge.Miss{Silent: true, Own: own}, now)
		}
	}
	if c.Leg >= 0 && c.set.cfg.Prefer != option.None {
		c.set.names.Given(c.question, c.Leg, c.Verdict, c.Msg, now)
	}
}

// TakeReply implements race.ReplySink.
func (c *call) TakeReply(i int, verdict race.Verdict, reply []byte, took time.Duration, late bool) {
	c.keeping.hear(c.Members[i], verdict, late)
	now, zones, names := time.Now(), c.set.zones, &c.set.names
	c.count(i, verdict, reply, now, late)
	if i >= len(c.set.members) { // it came later, and has no number in that set
		return
	}
	if late {
		names.Replied(c.question, i, verdict, reply, now)
		if verdict == race.Good {
			c.tellBesides(c.question)
		}
	}
	switch verdict {
	case race.Good, race.Alias:
		c.set.latencies[i].Sample(took)
		if i == c.winner {
			return
		}
		c.learnGood(i, reply, now)
		c.compare(i, reply, now, late)
	case race.NoDataSOA:
		names.Denied(c.question, i, verdict, reply, c.set.cfg.Age(), now)
		if c.winner >= 0 {
			zones.Replied(c.question, i, now)
		}
	case race.NXDomain, race.NXDomainSOA:
		names.Denied(c.question, i, verdict, reply, c.set.cfg.Age(), now)
		if c.winner >= 0 {
			own, alike := names.Disowned(c.question, i, c.Msg)
			zones.Missed(c.question, i, c.winner, knowledge.Miss{Denied: true, Own: own, Alike: alike}, now)
		}
	case race.NXDomainChain, race.NoData:
		if c.winner >= 0 {
			zones.Replied(c.question, i, now)
		}
	default: // no opinion
		if c.winner >= 0 && (verdict == race.Refused || verdict == race.Referral) { // nor will it have one
			zones.Replied(c.question, i, now)
		}
		if c.winner >= 0 && c.Plan.Alone && i == c.Plan.First {
			own := names.Past(c.question, now).Owners.Has(i)
			zones.Missed(c.question, i, c.winner, knowledge.Miss{Own: own}, now)
		}
	}
}

// tellBesides tells the calls for other types of the name that there is an answer for this one.
func (c *call) tellBesides(question []byte) {
	if c.pool != nil {
		c.pool.besides.answered(question)
	}
}

// learnGood notes a good answer.
func (c *call) learnGood(by int, answer []byte, now time.Time) {
	private, _ := race.Privacy(answer)
	c.set.zones.Good(c.question, by, private, now)
	c.set.names.Owned(c.question, by, answer)
}

// compare compares the answer of leg i with the winner's.
func (c *call) compare(i int, reply []byte, now time.Time, late bool) {
	if c.winner < 0 || c.race.given != nil { // whose answer is in part another's
		return
	}
	zones, differ := c.set.zones, c.set.cfg.Differ
	turned := zones.Compared(c.question, c.winner, i, knowledge.Compare(c.Msg, reply), now)
	if turned && !late && c.set.cfg.Learns() {
		c.Differ = true
	}
	if turned && differ != nil {
		differ(zones.Name(c.question), c.Members[c.winner], c.Members[i])
	}
}

package pool

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// exists reports whether the name of a question, which was denied, is proven to exist by a
// reply for another type (R18). There are resolvers that deny a name for all types but that of
// its address (RFC 4074, section 4.2), and clients that take the denial of one type for that of
// all. So calls for an address that are under way are waited for; and without one, an address is
// asked for. It takes no longer than the race may, or [leastLeft] for each.
func (c *call) exists(ctx context.Context, question []byte) bool {
	if c.proven(question) {
		return true
	}
	if c.pool == nil {
		return false
	}
	qtype := wire.QuestionType(question)
	c.pool.calls.learned(c) // before it waits for a call that may wait for this one
	asks := c.asksAddress(question)
	for _, other := range addressTypes {
		if other == qtype {
			continue
		}
		begins := asks && !c.pool.lately.has(question, other, time.Now())
		if c.shownBy(ctx, other, begins) || c.proven(question) {
			return true
		}
	}
	if isAddress(qtype) && c.Conclusive() {
		c.pool.lately.denied(question, c.race.Begun())
	}
	return false
}

// proven reports whether a reply for another type disproves the denial: one to the upstreams of the
// race, or to those that have taken their place.
func (c *call) proven(question []byte) bool {
	now := c.race.Begun()
	return c.set.disproves(c.Verdict, question, now) || c.pool != nil && c.pool.set.Load().route(question).disproves(c.Verdict, question, now)
}

// disproves reports whether a reply for another type disproves a denial of the name of a question. One
// at the end of aliases says itself that the name exists, so only an answer says more.
func (s *set) disproves(denial race.Verdict, question []byte, now time.Time) bool {
	if denial == race.NXDomainChain {
		return s.names.Answered(question, now)
	}
	return s.names.Exists(question, now)
}

// addressTypes are the types by which a name is shown to exist, if anything shows that.
var addressTypes = [...]uint16{dns.TypeA, dns.TypeAAAA}

// asksAddress reports whether an address of a name that is denied is asked for, to learn whether it
// exists. Nearly all that do have an address of IPv4: who is denied that is denied at once, unless an
// upstream gave no opinion, or a name that exists was denied for a type before.
func (c *call) asksAddress(question []byte) bool {
	atOnce := wire.QuestionType(question) == dns.TypeA && c.Conclusive() && !c.set.deniesTypes.Load()
	return !atOnce && c.Verdict != race.NXDomainChain && !c.Filtered && mayHaveAddress(question)
}

// isAddress reports whether a type is that of an address.
func isAddress(qtype uint16) bool { return slices.Contains(addressTypes[:], qtype) }

// reverse are the zones whose names stand for addresses, and have none, in wire format (RFC 1035,
// section 3.5; RFC 3596, section 2.5).
var reverse = [...]string{"\x07in-addr\x04arpa\x00", "\x03ip6\x04arpa\x00"}

// mayHaveAddress reports whether the name of a question may be that of a host. Who asks for an
// address thinks so. Names that begin with an underscore are no hosts (RFC 8552, section 1.1).
func mayHaveAddress(question []byte) bool {
	if isAddress(wire.QuestionType(question)) {
		return true
	}
	var buf [255]byte
	name := wire.AppendName(buf[:0], question)
	if len(name) > 1 && name[1] == '_' {
		return false
	}
	return !slices.ContainsFunc(reverse[:], func(zone string) bool { return wire.Below(name, []byte(zone)) })
}

// leastLeft is how long a race for another type is waited for at least, also where the first has
// had all its time, because an upstream is silent to its type.
const leastLeft = 300 * time.Millisecond

// left is how long the call may still take. What it began has no more time than itself, lest two
// types begin each other for as long as an upstream is silent.
func (c *call) left() time.Duration {
	left := c.set.cfg.Rules.Timeout - time.Since(c.race.Begun())
	if !c.shows {
		left = max(left, leastLeft)
	}
	return left
}

// shownBy reports whether the call for another type of the name shows that it exists. If none is
// under way it begins one, if it is to do that, as for a client, so that clients share it.
func (c *call) shownBy(ctx context.Context, qtype uint16, begins bool) bool {
	left := c.left()
	if left <= 0 || ctx.Err() != nil {
		return false
	}
	var q Query
	if begins {
		var err error
		q, err = c.race.query.Named(nameOf(wire.Question(c.race.plain.Msg)), qtype)
		begins = err == nil
	}
	key := keyOf(ofType(c.race.plain, qtype))
	other, first := c.pool.calls.joinOther(c, key, begins)
	if other == nil {
		return false
	}
	over := make(chan *Result, 1)
	go func() {
		defer close(over)
		defer func() { _ = recover() }() // of a library that reads what an upstream says
		if first {
			over <- c.pool.run(other, key, q, nil)
		} else {
			over <- other.outcome()
		}
	}()
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case res := <-over: // the upstreams may be others by now, so it counts by itself
		return res != nil && res.showsName(c.Verdict == race.NXDomainChain)
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// showsName reports whether it was shown that the name exists, or if that is meant, has an answer.
func (r *Result) showsName(answer bool) bool {
	return r.Verdict == race.Good || r.Stale != nil || !answer && (r.Verdict == race.Alias || r.Verdict == race.NoDataSOA)
}

// joinOther returns the call with that key, for another type of the name of a call that is denied,
// and whether it is new; nil: there is none, or it waits for this one. A name that was asked of a
// link's upstreams alone is shown to no others, should these be gone (R7).
func (cs *calls) joinOther(c *call, key string, begins bool) (other *call, first bool) {
	question := wire.Question(c.race.plain.Msg)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	other = cs.underway[key]
	if begins && (!c.set.part || c.pool.set.Load().route(question) == c.set) {
		if other, first = cs.joinLocked(key, c.pool, question); first {
			other.shows = true
		}
	}
	if other == nil || other.race.waitsFor(&c.race, nil) {
		return nil, false
	}
	c.race.waits = append(c.race.waits, other)
	return other, first
}

// confirm asks an upstream once more, in the background, for a type of the name that it has
// answered, because it denies the name for another type now. A denial of that type ends what
// the answer proved, and the answer (R18).
func (c *call) confirm(leg int, qtype uint16) {
	p := c.pool
	if p == nil || leg >= len(c.Members) {
		return
	}
	q := &otherQuery{plain: ofType(c.race.plain, qtype)}
	key := keyOf(q.plain)
	if c.race.encrypted != nil {
		q.encrypted = ofType(c.race.encrypted, qtype)
	}
	about := confirmation{c.Members[leg], key}
	if p.calls.during(key, c.set) != nil {
		return // it is asked anyway
	}
	if _, is := p.confirming.LoadOrStore(about, true); is {
		return
	}
	r := &Race{set: c.race.set, Members: c.Members[leg : leg+1 : leg+1]}
	r.setup().Rules, r.setup().Watched = c.race.setup().Rules, true
	names, question := &c.set.names, wire.Question(q.plain.Msg)
	var k *keeping
	if c.keeping != nil {
		k = &keeping{cache: c.keeping.cache, question: question}
	}
	go func() {
		defer p.confirming.Delete(about)
		r.prepare(q)
		r.begin(&p.clock)
		defer r.End()
		r.race.Wait(context.Background()) // nobody unpacks it
		verdict, reply := r.race.Reply(0)
		names.Replied(question, leg, verdict, reply, time.Now())
		k.hear(r.Members[0], verdict, true)
	}()
}

// confirmation is what an upstream is asked once more, by the key of the query.
type confirmation struct {
	of  *Member
	key string
}

// otherQuery is a [Query] of our own for another type than the client's.
type otherQuery struct{ plain, encrypted *upstream.Query }

func (q *otherQuery) Plain() *upstream.Query     { return q.plain }
func (q *otherQuery) Encrypted() *upstream.Query { return q.encrypted }
func (q *otherQuery) Read(reply []byte) error    { return new(dns.Msg).Unpack(reply) }
func (q *otherQuery) Detached() Query            { return q }

func (q *otherQuery) Named(string, uint16) (Query, error) { return nil, errors.ErrUnsupported }

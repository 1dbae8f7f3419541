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
// reply for another type (R18). Clients ask for A and AAAA at once, and some take the denial
// of one for that of both. So races for other types that are under way are waited for; and
// without one, upstreams that failed this type are asked for another. If all deny the name, as
// resolvers do that have no other type than A (RFC 4074, section 4.2), A is asked of all, where
// clients ask for it besides. It takes no longer than the race may.
func (c *call) exists(question []byte) bool {
	chain := c.Verdict == race.NXDomainChain // which says itself that the name exists; an answer says more
	proven := func() bool {
		if chain {
			return c.set.names.Answered(question, c.race.Begun())
		}
		return c.set.names.Exists(question, c.race.Begun())
	}
	if proven() {
		return true
	}
	if c.pool == nil {
		return false
	}
	c.pool.calls.learned(c) // before it waits for a race that may wait for this one
	other := otherType(wire.QuestionType(question))
	waited := false
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		if qtype == wire.QuestionType(question) {
			continue
		}
		if c.awaitType(qtype) {
			waited = waited || qtype == other
		}
		if proven() {
			return true
		}
	}
	now := time.Now()
	if wire.QuestionType(question) == dns.TypeA {
		c.pool.lately.denied(question, now)
	}
	switch {
	case waited, chain:
		return false
	case besideA(question) && !c.pool.lately.has(question, now):
		c.askAll(question)
	case c.Conclusive():
		return false
	default:
		c.askType(other)
	}
	return proven()
}

// besideA reports whether clients that ask a question use to ask for A as well.
func besideA(question []byte) bool {
	qtype := wire.QuestionType(question)
	return qtype == dns.TypeAAAA || qtype == dns.TypeHTTPS
}

// otherType is the type that a name is asked for to learn whether it exists.
func otherType(qtype uint16) uint16 {
	if qtype == dns.TypeA {
		return dns.TypeAAAA
	}
	return dns.TypeA
}

// left is how long the call may still take.
func (c *call) left() time.Duration {
	return c.set.cfg.Rules.Timeout - time.Since(c.race.Begun())
}

// awaitType waits for the race for another type of the same name, and reports whether there
// was one.
func (c *call) awaitType(qtype uint16) bool {
	learned := c.pool.calls.during(keyOf(ofType(c.race.plain, qtype)), c.set)
	if learned == nil {
		return false
	}
	timer := time.NewTimer(c.left())
	defer timer.Stop()
	select {
	case <-learned:
	case <-timer.C:
	}
	return true
}

// askAll asks for A of the same name, as a client would, so that clients share the race.
func (c *call) askAll(question []byte) {
	q, err := c.race.query.Named(nameOf(question), dns.TypeA)
	left := c.left()
	if err != nil || left <= 0 {
		return
	}
	over := make(chan struct{})
	key := keyOf(q.Plain())
	other, first := c.pool.calls.join(key, c.pool, wire.Question(q.Plain().Msg))
	go func() {
		defer close(over)
		if first {
			c.pool.run(other, key, q, nil)
		} else {
			other.outcome()
		}
	}()
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-over:
	case <-timer.C:
	}
}

// askType asks the upstreams that failed this type for another one, and learns from what they
// say.
func (c *call) askType(qtype uint16) {
	var legs []int
	r := &Race{set: c.race.set}
	for i, err := range c.Errs {
		if failedType(err) {
			legs = append(legs, i)
			r.Members = append(r.Members, c.Members[i])
		}
	}
	timeout := c.left()
	if len(legs) == 0 || timeout <= 0 {
		return
	}
	q := &otherQuery{plain: ofType(c.race.plain, qtype)}
	if c.race.encrypted != nil {
		q.encrypted = ofType(c.race.encrypted, qtype)
	}
	r.prepare(q)
	setup := r.setup()
	setup.Rules = c.race.setup().Rules
	setup.Timeout, setup.Watched = timeout, true
	r.begin(&c.pool.clock)
	defer r.End()
	r.Wait(context.Background())
	for at, i := range legs {
		verdict, reply := r.race.Reply(at)
		c.set.names.Replied(wire.Question(q.plain.Msg), i, verdict, reply, time.Now())
	}
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

// failedType reports whether an upstream that gave no opinion may give one for another type.
func failedType(err error) bool {
	return err != nil && slices.ContainsFunc([]error{
		race.ErrServFail, race.ErrRefused, race.ErrUnable, race.ErrReferral, race.ErrUnreadable, race.ErrUnresponsive,
	}, func(e error) bool { return errors.Is(err, e) })
}

// otherQuery is a [Query] of our own for another type than the client's.
type otherQuery struct{ plain, encrypted *upstream.Query }

func (q *otherQuery) Plain() *upstream.Query     { return q.plain }
func (q *otherQuery) Encrypted() *upstream.Query { return q.encrypted }
func (q *otherQuery) Read(reply []byte) error    { return new(dns.Msg).Unpack(reply) }
func (q *otherQuery) Detached() Query            { return q }

func (q *otherQuery) Named(string, uint16) (Query, error) { return nil, errors.ErrUnsupported }

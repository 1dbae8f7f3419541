package pool

import (
	"context"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Result is the end of a race. It is shared by all that asked the same while it
// was on, and must not be changed.
type Result struct {
	race.Result
	Members []*Member     // by leg
	Took    time.Duration // the race

	// Proven says that nobody's reply is to be given, but NODATA without SOA: the name was
	// denied, and is proven to exist (R18).
	Proven bool
	// Away says that nobody's reply is to be given, but SERVFAIL: the only upstream that
	// knows the zone is away, and Errs says why (R18).
	Away bool

	Plan    race.Plan
	Unasked int // upstreams that were not asked
}

// Ask races the query, or waits for the race of an equal one that is under way
// (R11; RFC 5452, section 5). Equal queries are the same to the last byte but
// for the id. It reports whether the race was this query's own; else q.Read has not
// been called. When its own race is over, look is shown what each leg was asked and
// what became of it, unless it is nil.
func (p *Pool) Ask(q Query, look func(*Race)) (out *Result, first bool) {
	query := q.Plain()
	key := string(query.Msg[2:])
	if query.Truncated == upstream.TruncatedNever {
		key += "whole"
	}
	f, first := p.shared.join(key, p.set.Load().whom(wire.Question(query.Msg)))
	if !first {
		f.done.Wait()
		return &f.Result, false
	}
	defer p.shared.finish(key, f)
	f.start(q, look != nil)
	defer f.asking.End()
	// A client that goes away, as one of HTTPS or QUIC may, does not end what
	// others wait for too.
	f.Result.Result = f.asking.Wait(context.Background())
	f.Took = time.Since(f.asking.Begun())
	f.learn(query.Msg)
	if look != nil {
		look(&f.asking)
	}
	return &f.Result, true
}

// shared are the races under way, by what is asked. Package singleflight would
// do, but its frames would lie below those of every race: goroutines that serve
// a query begin with a small stack, and growing it costs more than a race's own
// work.
type shared struct {
	mu       sync.Mutex
	underway map[string]*call
}

// call is a race that more than one client may wait for.
type call struct {
	done sync.WaitGroup
	Result
	asking Race
	set    *set

	question []byte // as in [wire.Question]; nil: nothing is learned about its zone
	winner   int    // whose good answer is given; -1: nobody's
}

// learn takes down what the replies say of the name, and makes of its denial what is
// known better (R18), or was when the client asked: the race may have waited for long. A chain that leads nowhere stays as it is: it says that its own
// name exists.
func (f *call) learn(query []byte) {
	question := wire.Question(query)
	if question == nil {
		return
	}
	now := f.asking.Begun().Add(f.Took)
	for i := range f.Members {
		verdict, reply := f.asking.race.Reply(i)
		f.set.names.Heard(question, i, verdict, reply, now)
	}
	if f.question != nil {
		f.learnZone(now)
		if f.Away = f.away(now, unreachable); f.Away {
			return
		}
	}
	denied := f.Verdict == race.NXDomain || f.Verdict == race.NXDomainSOA
	if denied && !f.asking.setup.Final && !checksSignatures(query) && f.set.names.Exists(question, f.asking.Begun()) {
		f.Result.Result = race.Result{Leg: -1, Verdict: race.NoData, Errs: f.Errs}
		f.Proven = true
	} else if f.question != nil {
		f.Away = f.away(now, silent)
	}
}

// checksSignatures reports whether who asks can tell a reply that nobody has signed: by
// the records (DO; RFC 3225, section 3) or by the message (TSIG; RFC 8945, section 5.3).
func checksSignatures(query []byte) (signed bool) {
	wire.Records(query, func(r wire.Record) bool {
		signed = r.Type == dns.TypeTSIG
		return !signed
	})
	return signed || wire.DO(query)
}

// join returns the call with that key and set of upstreams, and whether it is a
// new one. Whoever is first must finish it; everybody else waits for that. A race
// of a set that was replaced goes on for those who wait, and takes in no others.
func (s *shared) join(key string, now *set) (f *call, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.underway[key]; ok && f.set == now {
		return f, false
	}
	f = &call{set: now}
	f.Members, f.asking.Members = now.members, now.members
	f.Leg = -1 // should the race end in a panic
	f.done.Add(1)
	if s.underway == nil {
		s.underway = make(map[string]*call)
	}
	s.underway[key] = f
	return f, true
}

// finish says that the outcome is known.
func (s *shared) finish(key string, f *call) {
	s.mu.Lock()
	if s.underway[key] == f {
		delete(s.underway, key)
	}
	s.mu.Unlock()
	f.done.Done()
}

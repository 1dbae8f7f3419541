package explain

import (
	"context"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/secure"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// opinion is what became of one upstream.
type opinion struct {
	server  server.Server
	after   time.Duration // when it replied or failed
	msg     *dns.Msg      // its reply; nil: none that can be read
	verdict race.Verdict
	err     error // why there is no reply; nil: it may still come
	down    bool
	late    bool // the race was over without it
}

func (op *opinion) pending() bool { return op.msg == nil && op.err == nil }

// outcome is what is known of a race, and of those that were listened to when
// it was over.
type outcome struct {
	cfg      *config
	opinions []opinion
	since    time.Duration // the beginning
	ended    bool          // nobody is listened to any more

	// Of the race. Nothing of it is known until it is over.
	over        bool
	took        time.Duration
	interrupted bool // it was not over by its rules
	winner      int  // whose reply is given, by index; -1: nobody's
	verdict     race.Verdict
	conclusive  bool
	missing     []int    // who gave no opinion; of no interest if one is good
	reply       *dns.Msg // what dnsmus replies
}

// asking is a race and the notes on it.
type asking struct {
	cfg     *config
	start   time.Time
	legs    []*leg
	changed chan struct{} // there is something for the goroutine that listens

	mu      sync.Mutex // guards what follows, and the legs' notes
	ended   bool
	outcome *outcome // of the race; nil: it is not over
	errs    []error  // why legs gave no opinion
}

// leg is a race's leg that takes notes, and goes on to listen when the race is
// over. It is both the upstream's Receiver and the race's Exchange.
type leg struct {
	a        *asking
	upstream *upstream.Upstream
	race     *race.Leg

	// Of the goroutine that asks.
	exchange *upstream.Exchange
	due      time.Time

	// Guarded by a.mu.
	opinion opinion
	back    bool // it was down and is up again: Retry is due
}

func newAsking(cfg *config, servers []server.Server) *asking {
	a := &asking{cfg: cfg, changed: make(chan struct{}, 1)}
	for _, s := range servers {
		to := upstream.Config{
			Addr:     s.Addr,
			Timeout:  cfg.Rules.Timeout,
			Patience: cfg.Patience,
			ForceTCP: cfg.ForceTCP,
		}
		if s.Transport.Encrypted() {
			secure.Use(&to, s.Transport, s.Name, cfg.TLS)
		}
		a.legs = append(a.legs, &leg{a: a, upstream: upstream.New(to), opinion: opinion{server: s}})
	}
	a.start = time.Now()
	return a
}

// ask holds the race and listens until all have spoken, the time is up or ctx is
// done.
func (a *asking) ask(ctx context.Context) *outcome {
	query := &upstream.Query{Msg: a.cfg.message}
	r := a.cfg.Rules.Start(len(a.legs), func(i int, to *race.Leg) (race.Exchange, time.Time) {
		l := a.legs[i]
		l.race = to
		l.exchange, l.due = l.upstream.Ask(query, l)
		return l, l.due
	})
	res := r.Wait(ctx)
	reply := new(dns.Msg)
	for res.Leg >= 0 && reply.Unpack(res.Msg) != nil {
		r.Discard(res.Leg)
		res = r.Wait(ctx)
		reply = new(dns.Msg)
	}
	r.End()
	a.decided(res, reply, ctx.Err() != nil)
	a.listen(ctx)
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	for _, l := range a.legs {
		l.upstream.Close()
	}
	return a.snapshot()
}

// decided notes how the race ended.
func (a *asking) decided(res race.Result, reply *dns.Msg, stopped bool) {
	o := &outcome{
		cfg: a.cfg, over: true, took: time.Since(a.start),
		winner: res.Leg, verdict: res.Verdict, conclusive: res.Conclusive(),
		interrupted: stopped && !res.Conclusive(),
	}
	for i, err := range res.Errs {
		if err != nil {
			o.missing = append(o.missing, i)
		}
	}
	if res.Leg < 0 {
		reply.Rcode = dns.RcodeServerFailure
	}
	if res.Inconclusive() {
		for _, section := range [][]dns.RR{reply.Answer, reply.Ns} {
			for _, rr := range section {
				rr.Header().Ttl = min(rr.Header().Ttl, uint32(a.cfg.NegativeTTL/time.Second))
			}
		}
	}
	o.reply = reply
	a.mu.Lock()
	defer a.mu.Unlock()
	a.outcome, a.errs = o, res.Errs
}

// listen waits for those that have not spoken in the race, and drives their
// exchanges.
func (a *asking) listen(ctx context.Context) {
	end := a.start.Add(a.cfg.Rules.Timeout)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		wake, open := end, false
		for _, l := range a.legs {
			pending, back := l.look()
			if !pending {
				continue
			}
			if back {
				l.due = now
			}
			if !l.due.IsZero() && !now.Before(l.due) {
				l.Retry(now)
			}
			if !l.due.IsZero() && l.due.Before(wake) {
				wake = l.due
			}
			open = true
		}
		if !open || !now.Before(end) {
			return
		}
		timer.Reset(time.Until(wake))
		select {
		case <-a.changed:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// look reports whether nothing has come of the leg yet, and whether its upstream
// is back since the last call.
func (l *leg) look() (pending, back bool) {
	l.a.mu.Lock()
	defer l.a.mu.Unlock()
	back = l.back
	l.back = false
	return l.opinion.pending(), back
}

// note changes the leg's notes.
func (l *leg) note(change func(op *opinion)) {
	l.a.mu.Lock()
	change(&l.opinion)
	l.a.mu.Unlock()
	select {
	case l.a.changed <- struct{}{}:
	default:
	}
}

// Reply implements upstream.Receiver.
func (l *leg) Reply(msg []byte) {
	after := time.Since(l.a.start)
	m, err := unpack(msg)
	l.note(func(op *opinion) {
		op.after, op.msg, op.err = after, m, err
		if m != nil {
			op.verdict = race.Judge(msg, l.a.cfg.Rules.Policy)
		}
	})
	l.race.Reply(msg)
}

// unpack reads hostile bytes in a goroutine that has nobody above it.
func unpack(msg []byte) (m *dns.Msg, err error) {
	defer func() {
		if recover() != nil {
			m, err = nil, race.ErrUnreadable
		}
	}()
	m = new(dns.Msg)
	if m.Unpack(msg) != nil {
		return nil, race.ErrUnreadable
	}
	return m, nil
}

// Fail implements upstream.Receiver.
func (l *leg) Fail(err error) {
	after := time.Since(l.a.start)
	l.note(func(op *opinion) { op.after, op.err = after, err })
	l.race.Fail(err)
}

// Down implements upstream.Receiver.
func (l *leg) Down() {
	l.note(func(op *opinion) { op.down = true })
	l.race.Down()
}

// Up implements upstream.Receiver.
func (l *leg) Up() {
	l.note(func(op *opinion) { op.down, l.back = false, true })
	l.race.Up()
}

// Waiting implements upstream.Receiver.
func (l *leg) Waiting() bool {
	l.a.mu.Lock()
	defer l.a.mu.Unlock()
	return !l.a.ended
}

// Retry implements race.Exchange.
func (l *leg) Retry(now time.Time) time.Time {
	l.due = l.exchange.Retry(now)
	return l.due
}

// snapshot is what is known now.
func (a *asking) snapshot() *outcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	o := &outcome{cfg: a.cfg, winner: -1}
	if a.outcome != nil {
		*o = *a.outcome
	}
	o.since, o.ended = time.Since(a.start), a.ended
	for i, l := range a.legs {
		op := l.opinion
		if i < len(a.errs) && op.msg != nil {
			op.late = a.errs[i] == race.ErrSilent || a.errs[i] == race.ErrDown
		}
		o.opinions = append(o.opinions, op)
	}
	return o
}

package pool

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/account"
	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Told is a race of clients that is over.
type Told struct {
	*Result
	Race     *Race
	Question []byte // as in [wire.Question]
	Clients  int    // that waited for it
	At       time.Time

	ID uint64 // as in [LateReply]
}

// LateReply is a reply that came when its race was over.
type LateReply struct {
	ID       uint64 // of the race; 0: it is none of clients
	Question []byte
	By       *Member
	Verdict  race.Verdict
	After    time.Duration // since the race began
	// Wrong says that it is a good answer, and clients got a denial.
	Wrong bool
}

// lastID numbers races that are told.
var lastID atomic.Uint64

// NextID is the number of a race: greater than those of all that were over before.
func NextID() uint64 { return lastID.Add(1) }

// lateReplies are the replies that come when a race is over. They wait until that is told.
type lateReplies struct {
	mu    sync.Mutex
	told  bool
	all   bool // are wanted
	id    uint64
	wrong bool // a good one shows that clients got a wrong denial
	wait  []LateReply
}

// tell tells of the race, and of the replies that have come since it was over.
func (c *call) tell(now time.Time) {
	id, all, cfg := uint64(0), false, c.set.cfg
	if clients := int(c.clients.Load()); clients > 0 {
		id = NextID()
		res := &c.Result
		if c.early != nil {
			res = c.early
		}
		if question := wire.Question(c.race.plain.Msg); question != nil && cfg.Over != nil {
			all = cfg.Over(Told{Result: res, Race: &c.race, Question: question, Clients: clients, At: now, ID: id})
		}
	}
	l := c.late
	if l == nil {
		return
	}
	l.mu.Lock()
	l.told, l.all, l.id, l.wrong = true, all, id, c.early == nil && c.deniesWrongly()
	waited := l.wait
	l.wait = nil
	l.mu.Unlock()
	for _, r := range waited {
		c.tellLate(r)
	}
}

// tellLate tells of a late reply, now or when the race is told.
func (c *call) tellLate(r LateReply) {
	l := c.late
	l.mu.Lock()
	if !l.told {
		l.wait = append(l.wait, r)
		l.mu.Unlock()
		return
	}
	r.ID, r.Wrong = l.id, l.wrong && r.Verdict == race.Good
	wanted := r.ID > 0 && (r.Wrong || l.all)
	l.mu.Unlock()
	if wanted {
		c.set.cfg.LateReply(r)
	}
}

// deniesWrongly reports whether a good answer that comes now shows that clients got a wrong denial.
// It does not where the denial is meant (R25), though there may be such answers: a filter's, that
// of a special name, that of the preferred one of several views, and NODATA that is final by R4.
func (c *call) deniesWrongly() bool {
	noData := c.Verdict == race.NoData || c.Verdict == race.NoDataSOA
	isView := noData && c.Leg >= 0 && c.set.cfg.Prefer != option.None
	return c.Verdict.Negative() && c.Stale == nil && !c.Filtered && !c.Final && !isView && !c.race.setup().Final
}

// countAsked counts whose part in the race it is. It is called before replies are counted.
func (c *call) countAsked(now time.Time) {
	cfg := c.set.cfg
	if cfg.LateReply != nil && (c.winner < 0 || cfg.Watched()) {
		c.late = new(lateReplies)
	}
	if cfg.Account == nil {
		return
	}
	at := instant.Of(now)
	for i, m := range c.race.Members {
		if c.Unasked == 0 || c.race.race.WasAsked(i) {
			m.account.Count(account.Asked, at)
		}
	}
	if c.Leg >= 0 {
		c.race.Members[c.Leg].account.Count(account.Won, at)
	}
}

// count counts a reply, and tells of it if it came when the race was over.
func (c *call) count(i int, verdict race.Verdict, reply []byte, now time.Time, late bool) {
	m := c.Members[i]
	if m.account != nil {
		at := instant.Of(now)
		m.account.Count(kindOf(verdict), at)
		if race.Filtered(reply, verdict) {
			m.account.Count(account.Filtered, at)
		}
		if verdict.Wins() {
			c.countSole(i, at)
		}
	}
	if c.late != nil && (late || verdict == race.Good && c.winner < 0) {
		c.tellLate(LateReply{Question: c.question, By: m, Verdict: verdict, After: now.Sub(c.race.Begun())})
	}
}

// countSole counts a good reply for as long as it is the only one.
func (c *call) countSole(i int, at instant.Time) {
	if c.sole.CompareAndSwap(0, int32(i)+1) {
		c.Members[i].account.Count(account.Only, at)
		return
	}
	if other := c.sole.Swap(-1); other > 0 {
		c.Members[other-1].account.Uncount(account.Only, at)
	}
}

// kindOf is how a reply is counted.
func kindOf(v race.Verdict) int {
	switch {
	case v.Wins():
		return account.Good
	case v.Negative():
		return account.Denied
	case v == race.ServFail, v == race.Error, v == race.Broken, v == race.Truncated:
		return account.Failed
	}
	return account.NoOpinion
}

package handler

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/dnsmus/dnsmus/plugin/secure"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// contender is an upstream that takes part in races. It observes itself, for
// metrics and the log.
type contender struct {
	*upstream.Upstream
	server server.Server
	series *series
	fails  atomic.Bool   // the last that is known is an error
	says   *rate.Limiter // what is logged about it
	unsaid atomic.Int64  // what was not, since the last that was
}

// warm is how long after the last query an encrypted connection is held open: to
// open one takes as long as some queries.
const warm = 2 * time.Minute

// An upstream that comes and goes, or is forged, must not fill the log: so many
// lines about it may follow at once, and then one each so long.
const (
	logBurst = 10
	logEvery = 30 * time.Second
)

func (h *Handler) newContender(s server.Server) *contender {
	c := &contender{server: s, says: rate.NewLimiter(rate.Every(logEvery), logBurst)}
	c.series = seriesOf(s.String(), c)
	cfg := upstream.Config{
		Addr:     s.Addr,
		Name:     s.String(),
		Timeout:  h.cfg.Rules.Timeout,
		Patience: h.cfg.Patience,
		ForceTCP: h.cfg.ForceTCP,
		Observer: c,
	}
	if c.encrypted() {
		cfg.Warm = warm
		secure.Use(&cfg, s.Transport, cmp.Or(s.Name, h.cfg.ServerName), h.cfg.TLS)
	}
	c.Upstream = upstream.New(cfg)
	return c
}

// encrypted reports whether only the upstream can read what it is asked.
func (c *contender) encrypted() bool { return c.server.Transport.Encrypted() }

// Replied implements upstream.Observer.
func (c *contender) Replied(rcode int, took time.Duration) {
	c.series.duration(rcode).Observe(took.Seconds())
	if c.fails.Load() && c.fails.Swap(false) {
		c.log(log.Infof, "Upstream %s replies again", c)
	}
}

// Failed implements upstream.Observer.
func (c *contender) Failed(err error) {
	c.series.failures.Inc()
	if !c.fails.Swap(true) {
		c.log(log.Warningf, "Upstream %s fails: %v", c, err)
	}
}

// Retransmitted implements upstream.Observer.
func (c *contender) Retransmitted() { c.series.retransmits.Inc() }

// NearMiss implements upstream.Observer.
func (c *contender) NearMiss() {
	c.series.nearMisses.Inc()
	c.log(log.Warningf, "Upstream %s: a reply with a wrong id, which may be forged; that query goes over TCP", c)
}

// Down implements upstream.Observer.
func (c *contender) Down(silence time.Duration, unanswered int) {
	c.series.note(c, true)
	c.log(log.Warningf, "Upstream %s is down: no reply for %v, queries that wait: %d", c, silence.Round(time.Millisecond), unanswered)
}

// Up implements upstream.Observer.
func (c *contender) Up(after time.Duration) {
	c.series.note(c, false)
	c.log(log.Infof, "Upstream %s is up again after %v", c, after.Round(time.Millisecond))
}

// log writes a line, unless there were too many already.
func (c *contender) log(printf func(string, ...any), format string, args ...any) {
	if !c.says.Allow() {
		c.unsaid.Add(1)
		return
	}
	if n := c.unsaid.Swap(0); n > 0 {
		format += "; lines about it that were left out before: %d"
		args = append(args, n)
	}
	printf(format, args...)
}

// series are the metrics of one upstream, looked up once. Handlers with the same
// upstream share them.
type series struct {
	to          string
	wins        prometheus.Counter
	up          prometheus.Gauge
	retransmits prometheus.Counter
	nearMisses  prometheus.Counter
	failures    prometheus.Counter
	durations   [1 << 4]atomic.Pointer[prometheus.Observer] // by rcode, made when needed
	users       map[*contender]bool                         // and who of them found it down; guarded by allSeries
}

var allSeries = struct {
	sync.Mutex
	by map[string]*series
}{by: make(map[string]*series)}

// seriesOf returns the metrics of an upstream for user, who must release them.
func seriesOf(to string, user *contender) *series {
	allSeries.Lock()
	defer allSeries.Unlock()
	s := allSeries.by[to]
	if s == nil {
		s = &series{
			to:          to,
			wins:        wins.WithLabelValues(to),
			up:          upstreamUp.WithLabelValues(to),
			retransmits: retransmits.WithLabelValues(to),
			nearMisses:  nearMisses.WithLabelValues(to),
			failures:    failures.WithLabelValues(to),
			users:       make(map[*contender]bool),
		}
		allSeries.by[to] = s
	}
	s.users[user] = false
	s.show()
	return s
}

// note takes down whether a user found the upstream down. One that has released
// the series, as that of a handler before a reload, has no say any more.
func (s *series) note(user *contender, down bool) {
	allSeries.Lock()
	defer allSeries.Unlock()
	if _, ok := s.users[user]; ok {
		s.users[user] = down
		s.show()
	}
}

// show sets the metric that tells up from down. allSeries is held.
func (s *series) show() {
	up := 1.0
	for _, down := range s.users {
		if down {
			up = 0
		}
	}
	s.up.Set(up)
}

// release says that a user needs the metrics no longer. Without users they are
// deleted. At a reload the new handler has taken them up before the old one stops.
func (s *series) release(user *contender) {
	allSeries.Lock()
	defer allSeries.Unlock()
	delete(s.users, user)
	if len(s.users) > 0 {
		s.show()
		return
	}
	if allSeries.by[s.to] != s {
		return
	}
	delete(allSeries.by, s.to)
	label := prometheus.Labels{"to": s.to}
	for _, vec := range []interface {
		DeletePartialMatch(prometheus.Labels) int
	}{wins, upstreamUp, retransmits, nearMisses, failures, requestDuration} {
		vec.DeletePartialMatch(label)
	}
}

// duration returns the histogram of replies with that rcode.
func (s *series) duration(rcode int) prometheus.Observer {
	p := &s.durations[rcode&0xf]
	if o := p.Load(); o != nil {
		return *o
	}
	name, ok := dns.RcodeToString[rcode]
	if !ok {
		name = "unknown" // without a name, so that replies cannot make up series
	}
	allSeries.Lock()
	defer allSeries.Unlock()
	if allSeries.by[s.to] != s { // a late reply must not bring back what was deleted
		return unregistered
	}
	o := requestDuration.WithLabelValues(s.to, name)
	p.Store(&o)
	return o
}

// unregistered takes observations that nobody will see.
var unregistered = prometheus.ObserverFunc(func(float64) {})

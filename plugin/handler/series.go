package handler

import (
	"sync"
	"sync/atomic"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
)

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
	users       map[*observer]bool                          // and who of them found it down; guarded by allSeries
}

var allSeries = struct {
	sync.Mutex
	by map[string]*series
}{by: make(map[string]*series)}

// seriesOf returns the metrics of an upstream for user, who must release them.
func seriesOf(to string, user *observer) *series {
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
			users:       make(map[*observer]bool),
		}
		allSeries.by[to] = s
	}
	s.users[user] = false
	s.showLocked()
	return s
}

// note takes down whether a user found the upstream down. One that has released
// the series, as that of a handler before a reload, has no say any more; nor has what is
// older than what was noted before: turns may be told in any order.
func (s *series) note(user *observer, turn uint64, down bool) {
	allSeries.Lock()
	defer allSeries.Unlock()
	if _, ok := s.users[user]; ok && turn > user.turn {
		user.turn = turn
		s.users[user] = down
		s.showLocked()
	}
}

// hears shows that the upstream answers questions of a type, or never does. A type
// without a name has no series of its own, so that clients cannot make up series.
func (s *series) hears(user *observer, qtype uint16, does bool) {
	allSeries.Lock()
	defer allSeries.Unlock()
	name, known := dns.TypeToString[qtype]
	if _, ok := s.users[user]; !ok || !known {
		return
	}
	if does {
		upstreamDeaf.DeleteLabelValues(s.to, name)
	} else {
		upstreamDeaf.WithLabelValues(s.to, name).Set(1)
	}
}

// showLocked sets the metric that tells up from down. It is called with allSeries
// locked.
func (s *series) showLocked() {
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
func (s *series) release(user *observer) {
	allSeries.Lock()
	defer allSeries.Unlock()
	delete(s.users, user)
	if len(s.users) > 0 {
		s.showLocked()
		return
	}
	if allSeries.by[s.to] != s {
		return
	}
	delete(allSeries.by, s.to)
	label := prometheus.Labels{"to": s.to}
	for _, vec := range []interface {
		DeletePartialMatch(prometheus.Labels) int
	}{wins, upstreamUp, upstreamDeaf, retransmits, nearMisses, failures, requestDuration} {
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

package handler

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
)

// series are the metrics of one upstream, looked up once. Handlers with the same
// upstream share them.
type series struct {
	to          string
	wins        prometheus.Counter
	up          prometheus.Gauge
	zones       prometheus.Gauge // in which it is unresponsive
	retransmits prometheus.Counter
	nearMisses  prometheus.Counter
	failures    prometheus.Counter
	denials     prometheus.Counter                          // that were wrong
	durations   [1 << 4]atomic.Pointer[prometheus.Observer] // by rcode, made when needed
	users       map[*seriesUser]struct{}                    // guarded by allSeries
}

// seriesUser is one of those who share the series of an upstream.
type seriesUser struct {
	*series
	failing atomic.Int64 // since when queries end with errors, in ns since 1970; 0: the last did not

	// Guarded by allSeries.
	turn         uint64          // of the last change between up and down
	down         bool            // since that
	unresponsive map[string]bool // types of questions that it does not reply to, to this user
	silentIn     map[string]bool // zones in which it does not
}

var allSeries = struct {
	sync.Mutex
	by map[string]*series
}{by: make(map[string]*series)}

// useSeries returns a new user of an upstream's metrics, who must release them.
func useSeries(to string) *seriesUser {
	allSeries.Lock()
	defer allSeries.Unlock()
	s := allSeries.by[to]
	if s == nil {
		s = &series{
			to:          to,
			wins:        wins.WithLabelValues(to),
			up:          upstreamUp.WithLabelValues(to),
			zones:       upstreamUnresponsiveIn.WithLabelValues(to),
			retransmits: retransmits.WithLabelValues(to),
			nearMisses:  nearMisses.WithLabelValues(to),
			failures:    failures.WithLabelValues(to),
			denials:     wrongDenials.WithLabelValues(to),
			users:       make(map[*seriesUser]struct{}),
		}
		allSeries.by[to] = s
	}
	u := &seriesUser{series: s, unresponsive: make(map[string]bool), silentIn: make(map[string]bool)}
	s.users[u] = struct{}{}
	s.showLocked()
	return u
}

// usesLocked reports whether u has not released the series. One that has, as that of a
// handler before a reload, must not change them any more.
func (u *seriesUser) usesLocked() bool {
	_, ok := u.users[u]
	return ok
}

// setDown notes whether the upstream is down, and reports whether that is news. Changes may be
// reported in any order; the one with the highest turn is the last.
func (u *seriesUser) setDown(turn uint64, down bool) bool {
	allSeries.Lock()
	defer allSeries.Unlock()
	if turn <= u.turn {
		return false
	}
	u.turn, u.down = turn, down
	if u.usesLocked() {
		u.showLocked()
	}
	return true
}

// failingSince is since when queries end with errors; zero: the last did not.
func (u *seriesUser) failingSince() time.Time {
	if at := u.failing.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// showFailing shows that failing has changed.
func (u *seriesUser) showFailing() {
	allSeries.Lock()
	defer allSeries.Unlock()
	if u.usesLocked() {
		u.showLocked()
	}
}

// setUnresponsive notes whether the upstream never answers questions of a type. A type
// without a name has no series of its own, so that clients cannot make up series.
func (u *seriesUser) setUnresponsive(qtype uint16, unresponsive bool) {
	allSeries.Lock()
	defer allSeries.Unlock()
	name, known := dns.TypeToString[qtype]
	if !known || !u.usesLocked() {
		return
	}
	if unresponsive {
		u.unresponsive[name] = true
	} else {
		delete(u.unresponsive, name)
	}
	u.showTypeLocked(name)
}

// showTypeLocked has the metric of a type while the upstream is unresponsive for it to one of
// the users.
func (s *series) showTypeLocked(name string) {
	for u := range s.users {
		if u.unresponsive[name] {
			upstreamUnresponsive.WithLabelValues(s.to, name).Set(1)
			return
		}
	}
	upstreamUnresponsive.DeleteLabelValues(s.to, name)
}

// setUnresponsiveIn notes whether the upstream answers no questions in a zone. The zones are
// counted: clients could make up a series for each.
func (u *seriesUser) setUnresponsiveIn(zone string, unresponsive bool) {
	allSeries.Lock()
	defer allSeries.Unlock()
	if !u.usesLocked() {
		return
	}
	if unresponsive {
		u.silentIn[zone] = true
	} else {
		delete(u.silentIn, zone)
	}
	u.showZonesLocked()
}

// showZonesLocked counts the zones in which the upstream is unresponsive to one of the users.
func (s *series) showZonesLocked() {
	all := make(map[string]bool)
	for u := range s.users {
		maps.Copy(all, u.silentIn)
	}
	s.zones.Set(float64(len(all)))
}

// showLocked sets the metric that tells up from down: an upstream that is silent or fails to
// one of the users is down.
func (s *series) showLocked() {
	up := 1.0
	for u := range s.users {
		if u.down || u.failing.Load() != 0 {
			up = 0
		}
	}
	s.up.Set(up)
}

// release ends a use of the metrics. Without users they are deleted. At a reload the new
// handler has taken them up before the old one stops.
func (u *seriesUser) release() {
	allSeries.Lock()
	defer allSeries.Unlock()
	delete(u.users, u)
	if len(u.users) > 0 {
		u.showLocked()
		for name := range u.unresponsive {
			u.showTypeLocked(name)
		}
		u.showZonesLocked()
		return
	}
	if allSeries.by[u.to] != u.series {
		return
	}
	delete(allSeries.by, u.to)
	label := prometheus.Labels{"to": u.to}
	for _, vec := range []interface {
		DeletePartialMatch(prometheus.Labels) int
	}{wins, upstreamUp, upstreamUnresponsive, upstreamUnresponsiveIn, retransmits, nearMisses, failures, requestDuration, wrongDenials} {
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

// unregistered takes observations that are not shown.
var unregistered = prometheus.ObserverFunc(func(float64) {})

package handler

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/coredns/coredns/plugin/metrics"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// servers are the metrics of the servers that queries come to. There are few, and they stay.
type servers struct {
	all  sync.Map // *serverMetrics by the server's name
	last atomic.Pointer[serverMetrics]
}

// of returns the metrics of the server that a query came to.
func (s *servers) of(ctx context.Context) *serverMetrics {
	name := metrics.WithServer(ctx)
	if m := s.last.Load(); m != nil && m.name == name { // most handlers have one
		return m
	}
	m, ok := s.all.Load(name)
	if !ok {
		m, _ = s.all.LoadOrStore(name, newServerMetrics(name))
	}
	s.last.Store(m.(*serverMetrics))
	return m.(*serverMetrics)
}

// serverMetrics are the metrics of one server, looked up once.
type serverMetrics struct {
	name         string
	races        [race.Good + 1]prometheus.Counter // by verdict
	duration     prometheus.Observer
	inconclusive prometheus.Counter
	proven       prometheus.Counter
	away         prometheus.Counter
	saved        prometheus.Counter
	hedges       prometheus.Counter
	hedgesWon    prometheus.Counter
	hits         [cache.Failure + 1]prometheus.Counter // by kind
	stale        prometheus.Counter
	misses       prometheus.Counter
}

func newServerMetrics(name string) *serverMetrics {
	m := &serverMetrics{
		name:         name,
		duration:     raceDuration.WithLabelValues(name),
		inconclusive: inconclusive.WithLabelValues(name),
		proven:       proven.WithLabelValues(name),
		away:         away.WithLabelValues(name),
		saved:        saved.WithLabelValues(name),
		hedges:       hedges.WithLabelValues(name),
		hedgesWon:    hedgesWon.WithLabelValues(name),
		stale:        hits.WithLabelValues(name, "stale"),
		misses:       misses.WithLabelValues(name),
	}
	for kind, word := range []string{cache.Answer: "answer", cache.Denial: "denial", cache.Failure: "failure"} {
		m.hits[kind] = hits.WithLabelValues(name, word)
	}
	for v := range m.races {
		m.races[v] = races.WithLabelValues(name, race.Verdict(v).String())
	}
	return m
}

// count counts a race that is over.
func (m *serverMetrics) count(out *pool.Result) {
	m.races[out.Verdict].Inc()
	m.duration.Observe(out.Took.Seconds())
	if out.Leg >= 0 {
		observerOf(out.Members[out.Leg]).series.wins.Inc()
	}
	if out.Inconclusive() {
		m.inconclusive.Inc()
	}
	if out.Proven {
		m.proven.Inc()
	}
}

// countLearned counts what knowledge did in a race.
func (m *serverMetrics) countLearned(out *pool.Result) {
	if out.Away {
		m.away.Inc()
	}
	if !out.Plan.Alone {
		return
	}
	m.saved.Add(float64(out.Unasked))
	if out.Unasked == 0 && len(out.Members) > 1 {
		m.hedges.Inc()
		if out.Leg >= 0 && out.Leg != out.Plan.First {
			m.hedgesWon.Inc()
		}
	}
}

package handler

import (
	"context"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/metrics"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/dnsmus/dnsmus/plugin/race"
)

var (
	races = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "races_total",
		Help:      "Counter of races, by the verdict on the reply that was given.",
	}, []string{"server", "outcome"})

	raceDuration = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Namespace:                   plugin.Namespace,
		Subsystem:                   Name,
		Name:                        "race_duration_seconds",
		Buckets:                     plugin.TimeBuckets,
		NativeHistogramBucketFactor: plugin.NativeHistogramBucketFactor,
		Help:                        "Histogram of the time each race took.",
	}, []string{"server"})

	wins = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "wins_total",
		Help:      "Counter of races whose reply came from this upstream.",
	}, []string{"to"})

	inconclusive = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "inconclusive_total",
		Help:      "Counter of negative replies to which at least one upstream gave no opinion.",
	}, []string{"server"})

	maxConcurrentRejects = promauto.NewCounter(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "max_concurrent_rejects_total",
		Help:      "Counter of queries refused because max_concurrent were under way.",
	})
)

// serverMetrics are the metrics of one server, looked up once.
type serverMetrics struct {
	races        [race.Good + 1]prometheus.Counter // by verdict
	duration     prometheus.Observer
	inconclusive prometheus.Counter
}

func newServerMetrics(server string) *serverMetrics {
	m := &serverMetrics{
		duration:     raceDuration.WithLabelValues(server),
		inconclusive: inconclusive.WithLabelValues(server),
	}
	for v := range m.races {
		m.races[v] = races.WithLabelValues(server, race.Verdict(v).String())
	}
	return m
}

// metricsOf returns the metrics of the server that a query came to. There are few
// servers, and they stay.
func (h *Handler) metricsOf(ctx context.Context) *serverMetrics {
	server := metrics.WithServer(ctx)
	if m, ok := h.servers.Load(server); ok {
		return m.(*serverMetrics)
	}
	m, _ := h.servers.LoadOrStore(server, newServerMetrics(server))
	return m.(*serverMetrics)
}

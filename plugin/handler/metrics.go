package handler

import (
	"context"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/metrics"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/race"
)

var (
	races = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "races_total",
		Help:      "Counter of races, by the verdict on the reply.",
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

	requestDuration = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Namespace:                   plugin.Namespace,
		Subsystem:                   Name,
		Name:                        "upstream_request_duration_seconds",
		Buckets:                     plugin.TimeBuckets,
		NativeHistogramBucketFactor: plugin.NativeHistogramBucketFactor,
		Help:                        "Histogram of the time each upstream took to reply, even where another upstream's reply was given.",
	}, []string{"to", "rcode"})

	upstreamUp = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "upstream_up",
		Help:      "Gauge of whether an upstream replies (1) or is silent and not waited for (0).",
	}, []string{"to"})

	upstreamDeaf = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "upstream_deaf",
		Help:      "Gauge that is 1 while an upstream never answers questions of this type, though it answers others, and is not waited for.",
	}, []string{"to", "type"})

	retransmits = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "retransmits_total",
		Help:      "Counter of queries sent again over UDP, because no reply came in time.",
	}, []string{"to"})

	failures = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "upstream_failures_total",
		Help:      "Counter of queries that an upstream did not get or did not answer because of an error, such as a closed port.",
	}, []string{"to"})

	nearMisses = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "near_misses_total",
		Help:      "Counter of replies that had a wrong id but were otherwise right, and may be forged.",
	}, []string{"to"})

	inconclusive = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "inconclusive_total",
		Help:      "Counter of negative replies on which at least one upstream gave no opinion.",
	}, []string{"server"})

	proven = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "proven_total",
		Help:      "Counter of denials of names that an upstream had lately shown to exist; NODATA was the reply.",
	}, []string{"server"})

	reloads = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "resolv_conf_reloads_total",
		Help:      "Counter of changes of a file that names upstreams, by result; after a failure its last upstreams stay.",
	}, []string{"result"})

	reloadTime = promauto.NewGauge(prometheus.GaugeOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "resolv_conf_last_reload_timestamp_seconds",
		Help:      "Time when a file that names upstreams was last read successfully.",
	})

	_ = promauto.NewCounterFunc(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "udp_drops_total",
		Help:      "Counter of packets from upstreams that the system dropped because they were not read in time.",
	}, func() float64 { return float64(ports.Drops()) })

	maxConcurrentRejects = promauto.NewCounter(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "max_concurrent_rejects_total",
		Help:      "Counter of queries refused because max_concurrent were in flight.",
	})
)

func init() {
	for _, result := range []string{"success", "failure"} {
		reloads.WithLabelValues(result) // a counter that begins with 1 hides its first event from rates
	}
}

// serverMetrics are the metrics of one server, looked up once.
type serverMetrics struct {
	server       string
	races        [race.Good + 1]prometheus.Counter // by verdict
	duration     prometheus.Observer
	inconclusive prometheus.Counter
	proven       prometheus.Counter
	learned      learned
}

func newServerMetrics(server string) *serverMetrics {
	m := &serverMetrics{
		server:       server,
		duration:     raceDuration.WithLabelValues(server),
		inconclusive: inconclusive.WithLabelValues(server),
		proven:       proven.WithLabelValues(server),
		learned:      newLearned(server),
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
	if m := h.lastServer.Load(); m != nil && m.server == server { // most have one
		return m
	}
	m, ok := h.servers.Load(server)
	if !ok {
		m, _ = h.servers.LoadOrStore(server, newServerMetrics(server))
	}
	h.lastServer.Store(m.(*serverMetrics))
	return m.(*serverMetrics)
}

// count counts a race that is over.
func (h *Handler) count(ctx context.Context, out *pool.Outcome) {
	m := h.metricsOf(ctx)
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
	if h.cfg.Learns() {
		m.learned.count(out, h.pool.KnownZones())
	}
}

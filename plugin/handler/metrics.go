package handler

import (
	"sync/atomic"

	"github.com/coredns/coredns/plugin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/version"
)

var (
	buildInfo = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "build_info",
		Help:      "Gauge that is always 1, with the version of dnsmus.",
	}, []string{"version"})

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
		Help:      "Gauge of whether an upstream replies (1), or is silent and not waited for, or fails with an error (0).",
	}, []string{"to"})

	upstreamUnresponsive = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "upstream_type_unresponsive",
		Help:      "Gauge that is 1 while an upstream does not reply to questions of this type, though it does to others, and is not waited for.",
	}, []string{"to", "type"})

	upstreamUnresponsiveIn = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "upstream_zones_unresponsive",
		Help:      "Gauge of zones in which an upstream does not reply to questions, though it does elsewhere, and is not waited for.",
	}, []string{"to"})

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
		Help:      "Counter of queries to an upstream that failed with an error, such as a closed port.",
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
		Help:      "Counter of NXDOMAIN replies that became NODATA, because an upstream had lately shown that the name exists.",
	}, []string{"server"})

	reloads = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "resolv_conf_reloads_total",
		Help:      "Counter of changes of a file that names upstreams, by result; after a failure its previous upstreams are kept.",
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

	saved = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "queries_saved_total",
		Help:      "Counter of queries that were not sent, because another upstream knows the zone.",
	}, []string{"server"})

	hedges = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "hedges_total",
		Help:      "Counter of races in which the others were asked after the one upstream that knows the zone.",
	}, []string{"server"})

	hedgesWon = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "hedges_won_total",
		Help:      "Counter of such races in which one of the others gave the reply.",
	}, []string{"server"})

	away = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "away_total",
		Help:      "Counter of denials that became SERVFAIL, because the only upstream that knows the zone is away.",
	}, []string{"server"})

	conflicts = promauto.NewCounter(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "conflicts_total",
		Help:      "Counter of zones in which two upstreams were found to give different answers.",
	})

	wrongDenials = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "wrong_denials_total",
		Help:      "Counter of denials that were given to clients though this upstream had a good answer, which came later.",
	}, []string{"to"})

	watchers = promauto.NewGauge(prometheus.GaugeOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "watchers",
		Help:      "Gauge of readers of events over control sockets, who see all queries.",
	})

	hits = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "cache_hits_total",
		Help:      "Counter of queries answered with what was kept, by what that was: an answer, a denial, a failure, or a stale answer.",
	}, []string{"server", "type"})

	misses = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "cache_misses_total",
		Help:      "Counter of queries for which nothing was kept.",
	}, []string{"server"})

	ended = promauto.NewCounter(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "cache_ended_total",
		Help:      "Counter of kept replies that were asked for again after a change of the network had ended their life.",
	})

	renewed = promauto.NewCounter(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "cache_refreshed_total",
		Help:      "Counter of kept replies that were asked for again in the background, before their end.",
	})

	evicted = promauto.NewCounter(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "cache_evicted_total",
		Help:      "Counter of kept replies that made room for others.",
	})

	_ = promauto.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "reload_failed",
		Help:      "Gauge that is 1 while the Corefile cannot be loaded again and the one before stays in use.",
	}, func() float64 {
		if loadFailed.Load() || reloadFailed.Load() {
			return 1
		}
		return 0
	})

	maxConcurrentRejects = promauto.NewCounter(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "max_concurrent_rejects_total",
		Help:      "Counter of queries refused because max_concurrent were in flight.",
	})
)

var loadFailed, reloadFailed atomic.Bool

// LoadFailed notes whether the Corefile could not be read again when that was last tried.
func LoadFailed(failed bool) { loadFailed.Store(failed) }

// ReloadFailed notes whether a Corefile that was read could not be used when that was last tried.
func ReloadFailed(failed bool) { reloadFailed.Store(failed) }

func init() {
	buildInfo.WithLabelValues(version.String()).Set(1)
	for _, result := range []string{"success", "failure"} {
		reloads.WithLabelValues(result) // a counter that begins with 1 hides its first event from rates
	}
}

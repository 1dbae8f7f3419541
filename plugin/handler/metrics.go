package handler

import (
	"github.com/coredns/coredns/plugin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
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

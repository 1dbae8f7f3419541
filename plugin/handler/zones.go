package handler

import (
	"sync"

	"github.com/coredns/coredns/plugin"
	"github.com/prometheus/client_golang/prometheus"
)

// learning are the handlers that learn. As a collector they tell of how many zones something
// is known, and how many replies are kept, when they are asked; races need not keep that up to
// date.
var learning = learners{all: make(map[*Handler]struct{})}

type learners struct {
	mu  sync.Mutex
	all map[*Handler]struct{}
}

var zonesKnown = prometheus.NewDesc(
	prometheus.BuildFQName(plugin.Namespace, Name, "zones_known"),
	"Gauge of zones about which something is known.",
	[]string{"server"}, nil)

var repliesKept = prometheus.NewDesc(
	prometheus.BuildFQName(plugin.Namespace, Name, "cache_entries"),
	"Gauge of replies that are kept.",
	[]string{"server"}, nil)

func init() { prometheus.MustRegister(&learning) }

func (l *learners) add(h *Handler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[h] = struct{}{}
}

func (l *learners) remove(h *Handler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, h)
}

// Describe implements prometheus.Collector.
func (l *learners) Describe(descs chan<- *prometheus.Desc) { descs <- zonesKnown; descs <- repliesKept }

// Collect implements prometheus.Collector. Servers are those that queries have come to.
func (l *learners) Collect(collected chan<- prometheus.Metric) {
	known, kept := make(map[string]int), make(map[string]int)
	l.mu.Lock()
	for h := range l.all {
		zones, replies := h.pool.KnownZones(), h.pool.KeptReplies()
		h.metrics.all.Range(func(server, _ any) bool {
			known[server.(string)] += zones
			kept[server.(string)] += replies
			return true
		})
	}
	l.mu.Unlock()
	for server, zones := range known {
		collected <- prometheus.MustNewConstMetric(zonesKnown, prometheus.GaugeValue, float64(zones), server)
		collected <- prometheus.MustNewConstMetric(repliesKept, prometheus.GaugeValue, float64(kept[server]), server)
	}
}

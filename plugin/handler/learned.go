package handler

import (
	"errors"
	"strings"

	"github.com/coredns/coredns/plugin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/time/rate"

	"github.com/dnsmus/dnsmus/plugin/pool"
)

var (
	saved = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "queries_saved_total",
		Help:      "Counter of queries that upstreams were not sent, because one of them knows the zone.",
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

	zonesKnown = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: plugin.Namespace,
		Subsystem: Name,
		Name:      "zones_known",
		Help:      "Gauge of zones of which something is known.",
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
)

// learned are the metrics of one server about what was learned.
type learned struct {
	saved, hedges, hedgesWon, away prometheus.Counter
	zones                          prometheus.Gauge
}

func newLearned(server string) learned {
	return learned{
		saved:     saved.WithLabelValues(server),
		hedges:    hedges.WithLabelValues(server),
		hedgesWon: hedgesWon.WithLabelValues(server),
		away:      away.WithLabelValues(server),
		zones:     zonesKnown.WithLabelValues(server),
	}
}

// count counts what knowledge has done in a race.
func (m *learned) count(out *pool.Outcome, zones int) {
	m.zones.Set(float64(zones))
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

// conflictLines bounds the lines about zones in which answers differ.
var conflictLines = rate.NewLimiter(rate.Every(logEvery), logBurst)

// noteConflict tells, once a zone, that two upstreams do not answer alike.
func noteConflict(zone string, a, b *pool.Member) {
	conflicts.Inc()
	if conflictLines.Allow() {
		log.Infof("Upstreams %s and %s give different answers in zone %s; the option prefer can choose", a, b, strings.ToLower(zone))
	}
}

// errAway says that the only upstream that knows the zone is away.
func errAway(out *pool.Outcome) error {
	return errors.New("the only upstream that knows the zone is away: " + reasons(out))
}

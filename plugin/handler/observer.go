package handler

import (
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/time/rate"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// observer is told what happens to an upstream, for metrics and the log.
type observer struct {
	name    string
	series  *series
	failing atomic.Bool   // the last that is known is an error
	refused atomic.Int32  // so many replies were REFUSED since the last that was not
	lines   *rate.Limiter // that are logged about it
	dropped atomic.Int64  // lines that were not, since the last that was
	turn    uint64        // of the last word on whether it is down; guarded by allSeries
}

// An upstream that comes and goes, or is forged, must not fill the log: so many
// lines about it may follow at once, and then one each so long.
const (
	logBurst = 10
	logEvery = 30 * time.Second
)

func observe(s server.Server) upstream.Observer {
	o := &observer{name: s.String(), lines: rate.NewLimiter(rate.Every(logEvery), logBurst)}
	o.series = seriesOf(o.name, o)
	return o
}

// observerOf is the observer of a member of the handler's pool.
func observerOf(m *pool.Member) *observer { return m.Observer.(*observer) }

// forget lets go of the metrics.
func (o *observer) forget() { o.series.release(o) }

// Replied implements upstream.Observer.
func (o *observer) Replied(rcode int, took time.Duration) {
	o.series.duration(rcode).Observe(took.Seconds())
	if o.failing.Load() && o.failing.Swap(false) {
		o.log(log.Infof, "Upstream %s replies again", o.name)
	}
	o.noteRefusal(rcode == dns.RcodeRefused)
}

// manyRefusals in a row are those of an upstream that does not want to be asked: one
// that is over its limit answers something in between.
const manyRefusals = 20

// noteRefusal tells of an upstream that refuses everything, once until it does not
// any more: while it is listed, no denial is conclusive.
func (o *observer) noteRefusal(refused bool) {
	switch {
	case refused:
		if o.refused.Add(1) == manyRefusals {
			o.log(log.Warningf, "Upstream %s has refused %d queries in a row: if it is not meant for this machine, remove it from the list; until it answers, caches keep denials for negative_ttl only", o.name, manyRefusals)
		}
	case o.refused.Load() != 0 && o.refused.Swap(0) >= manyRefusals:
		o.log(log.Infof, "Upstream %s no longer refuses everything", o.name)
	}
}

// Failed implements upstream.Observer.
func (o *observer) Failed(err error) {
	o.series.failures.Inc()
	if !o.failing.Swap(true) {
		o.log(log.Warningf, "Upstream %s fails: %v", o.name, err)
	}
}

// Retransmitted implements upstream.Observer.
func (o *observer) Retransmitted() { o.series.retransmits.Inc() }

// NearMiss implements upstream.Observer.
func (o *observer) NearMiss() {
	o.series.nearMisses.Inc()
	o.log(log.Warningf, "Upstream %s: a reply with a wrong id, which may be forged; that query goes over TCP", o.name)
}

// Down implements upstream.Observer.
func (o *observer) Down(turn uint64, silence time.Duration, unanswered int) {
	o.series.note(o, turn, true)
	o.log(log.Warningf, "Upstream %s is down: no reply for %v, queries waiting: %d", o.name, silence.Round(time.Millisecond), unanswered)
}

// Up implements upstream.Observer.
func (o *observer) Up(turn uint64, after time.Duration) {
	o.series.note(o, turn, false)
	o.log(log.Infof, "Upstream %s is up again after %v", o.name, after.Round(time.Millisecond))
}

// Link implements upstream.Observer.
func (o *observer) Link(state link.State, turn uint64) {
	if turn > 0 {
		o.series.note(o, turn, state == link.Gone)
	}
	switch {
	case state == link.Gone:
		o.log(log.Warningf, "Upstream %s is down: its network link is not there, or is not up", o.name)
	case state == link.Bound:
		o.log(log.Infof, "Upstream %s is asked over its network link again", o.name)
	case link.CanBind:
		o.log(log.Warningf, "Upstream %s is asked as routes decide, because none leads to it over its network link", o.name)
	default:
		o.log(log.Warningf, "Upstream %s is asked as routes decide, because this system does not bind sockets to network links", o.name)
	}
}

// Hearing implements upstream.Observer.
func (o *observer) Hearing(qtype uint16, deaf bool) {
	name := dns.Type(qtype).String()
	o.series.hears(o, qtype, !deaf)
	if deaf {
		o.log(log.Warningf, "Upstream %s never answers questions of type %s; it is not waited for when they are asked", o.name, name)
	} else {
		o.log(log.Infof, "Upstream %s answers questions of type %s again", o.name, name)
	}
}

// log writes a line, unless there were too many already.
func (o *observer) log(printf func(string, ...any), format string, args ...any) {
	if !o.lines.Allow() {
		o.dropped.Add(1)
		return
	}
	if n := o.dropped.Swap(0); n > 0 {
		format += "; lines about it left out before: %d"
		args = append(args, n)
	}
	printf(format, args...)
}

package handler

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// observer counts and logs what happens to an upstream.
type observer struct {
	logs    [abouts]limitedLog
	name    string
	link    string // the network interface over which it is asked; empty: any
	series  *seriesUser
	publish func(upstream, state, why string, waiting int) // shows a change of state; nil: to nobody
	refused atomic.Int32                                   // REFUSED replies since the last other one

	slow        atomic.Bool  // it was said to be
	slowReplies atomic.Int32 // how many more replies were slow than quick, from 0 to manySlow
}

// What the log tells of an upstream: each has its own limit, so that none takes the place of
// another.
const (
	aboutPresence = iota // whether it is up
	aboutErrors          // whether its queries end with errors
	aboutRefusals        // whether it refuses everything
	aboutSlowness
	aboutForgeries
	aboutSilence // which questions it never answers
	abouts       // how many there are
)

func observe(s server.Server) upstream.Observer {
	name := s.String()
	return &observer{name: name, link: s.Link, series: useSeries(name)}
}

// observerOf is the observer of a member of the handler's pool.
func observerOf(m *pool.Member) *observer { return m.Observer.(*observer) }

// release ends the use of the metrics, and writes what the log does not have yet.
func (o *observer) release() {
	o.series.release()
	for i := range o.logs {
		o.logs[i].flush()
	}
}

// Replied implements upstream.Observer.
func (o *observer) Replied(rcode int, took time.Duration) {
	o.series.duration(rcode).Observe(took.Seconds())
	if o.series.failing.Load() != 0 && o.series.failing.Swap(0) != 0 {
		o.series.showFailing()
		o.logs[aboutErrors].log(log.Infof, "Upstream %s replies again", o.name)
	}
	o.noteRefusal(rcode == dns.RcodeRefused)
	o.noteSlowness(took)
}

// An upstream whose replies take so long is slow, if there were so many more of them than
// quicker ones.
const (
	slow     = 500 * time.Millisecond
	manySlow = 5
)

// noteSlowness logs once that an upstream has become slow, which races without a good answer
// wait for, and once that it no longer is.
func (o *observer) noteSlowness(took time.Duration) {
	switch n := o.slowReplies.Load(); {
	case took >= slow:
		if n < manySlow && o.slowReplies.Add(1) == manySlow && !o.slow.Swap(true) {
			o.logs[aboutSlowness].log(log.Warningf, "Upstream %s is slow: others wait for it; its replies take %v and more, and so does the denial of any name", o.name, slow)
		}
	case n > 0:
		if o.slowReplies.Add(-1) == 0 && o.slow.Swap(false) {
			o.logs[aboutSlowness].log(log.Infof, "Upstream %s is no longer slow", o.name)
		}
	}
}

// manyRefusals in a row are those of an upstream that does not serve this machine: one that is
// over its limit answers something in between.
const manyRefusals = 20

// noteRefusal logs once that an upstream refuses everything, and once that it no longer
// does: while it is listed, no denial is conclusive.
func (o *observer) noteRefusal(refused bool) {
	switch {
	case refused:
		if o.refused.Add(1) == manyRefusals {
			o.logs[aboutRefusals].log(log.Warningf, "Upstream %s has refused %d queries in a row; if it is not meant for this machine, remove it from the list: while it refuses, no denial is certain", o.name, manyRefusals)
		}
	case o.refused.Load() != 0 && o.refused.Swap(0) >= manyRefusals:
		o.logs[aboutRefusals].log(log.Infof, "Upstream %s no longer refuses everything", o.name)
	}
}

// Failed implements upstream.Observer.
func (o *observer) Failed(err error) {
	o.series.failures.Inc()
	if o.series.failing.CompareAndSwap(0, time.Now().UnixNano()) {
		o.series.showFailing()
		o.logs[aboutErrors].log(log.Warningf, "Upstream %s fails: %v", o.name, err)
	}
}

// Retransmitted implements upstream.Observer.
func (o *observer) Retransmitted() { o.series.retransmits.Inc() }

// NearMiss implements upstream.Observer.
func (o *observer) NearMiss() {
	o.series.nearMisses.Inc()
	o.logs[aboutForgeries].log(log.Warningf, "Upstream %s: ignored a reply with a wrong id, which may be forged; asking again over TCP", o.name)
}

// Down implements upstream.Observer.
func (o *observer) Down(turn uint64, silence time.Duration, unanswered int) {
	if !o.series.setDown(turn, true) {
		return
	}
	o.show("down", fmt.Sprintf("silent for %v", silence.Round(time.Millisecond)), unanswered)
	o.logs[aboutPresence].log(log.Warningf, "Upstream %s is down: no reply for %v, queries waiting: %d", o.name, silence.Round(time.Millisecond), unanswered)
}

// Up implements upstream.Observer.
func (o *observer) Up(turn uint64, after time.Duration) {
	if !o.series.setDown(turn, false) {
		return
	}
	o.show("up", fmt.Sprintf("it replies again after %v", after.Round(time.Millisecond)), 0)
	o.logs[aboutPresence].log(log.Infof, "Upstream %s is up again after %v", o.name, after.Round(time.Millisecond))
}

// Link implements upstream.Observer.
func (o *observer) Link(state link.State, turn uint64) {
	if turn > 0 {
		o.series.setDown(turn, state == link.Gone)
	}
	switch state {
	case link.Gone:
		o.show("gone", fmt.Sprintf("interface %s is down or missing", o.link), 0)
	default:
		o.show("up", fmt.Sprintf("interface %s is there", o.link), 0)
	}
	switch {
	case state == link.Gone:
		o.logs[aboutPresence].log(log.Warningf, "Upstream %s is down: interface %s is down or missing", o.name, o.link)
	case state == link.Bound:
		o.logs[aboutPresence].log(log.Infof, "Upstream %s is asked over interface %s again", o.name, o.link)
	case link.CanBind:
		o.logs[aboutPresence].log(log.Warningf, "Upstream %s: no route via interface %s; using the routing table", o.name, o.link)
	default:
		o.logs[aboutPresence].log(log.Warningf, "Upstream %s: this system cannot bind sockets to interface %s; using the routing table", o.name, o.link)
	}
}

// show shows a change of state to those who read events.
func (o *observer) show(state, why string, waiting int) {
	if o.publish != nil {
		o.publish(o.name, state, why, waiting)
	}
}

// Unresponsive implements upstream.Observer.
func (o *observer) Unresponsive(qtype uint16, unresponsive bool) {
	name := dns.Type(qtype).String()
	o.series.setUnresponsive(qtype, unresponsive)
	if unresponsive {
		o.logs[aboutSilence].log(log.Warningf, "Upstream %s never answers questions of type %s; queries of that type no longer wait for it", o.name, name)
	} else {
		o.logs[aboutSilence].log(log.Infof, "Upstream %s answers questions of type %s again", o.name, name)
	}
}

// UnresponsiveIn implements upstream.Observer.
func (o *observer) UnresponsiveIn(zone string, unresponsive bool) {
	o.series.setUnresponsiveIn(zone, unresponsive)
	if unresponsive {
		o.logs[aboutSilence].log(log.Warningf, "Upstream %s never answers questions for %s or names below it, though it answers others; such queries no longer wait for it", o.name, zone)
	} else {
		o.logs[aboutSilence].log(log.Infof, "Upstream %s answers questions for %s or names below it again", o.name, zone)
	}
}

package handler

import (
	"bytes"
	"context"
	"net"
	"sync"
	"time"

	"github.com/coredns/coredns/plugin/dnstap"
	"github.com/coredns/coredns/plugin/dnstap/msg"
	"github.com/coredns/coredns/request"
	tap "github.com/dnstap/golang-dnstap"
	"github.com/miekg/dns"
	ot "github.com/opentracing/opentracing-go"
	otext "github.com/opentracing/opentracing-go/ext"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// witness sees what becomes of each leg of a race, for the plugins dnstap and
// trace.
type witness struct {
	span   ot.Span // of the client's query; nil: it is not traced
	legs   []witnessed
	stream bool
}

// witnessed is a leg that is seen.
type witnessed struct {
	*race.Leg
	to    server.Server
	begun time.Time
	span  ot.Span // nil: it is not traced

	mu    sync.Mutex
	ended time.Time // when there was a reply or a failure; zero: not yet
	reply []byte
}

// SetTap has each leg shown to a dnstap plugin. It must not be called once there
// are queries.
func (h *Handler) SetTap(t *dnstap.Dnstap) { h.taps = append(h.taps, t) }

// witness returns who is to see the race of n legs, or nil if nobody cares.
func (h *Handler) witness(ctx context.Context, query *upstream.Query, n int) *witness {
	span := ot.SpanFromContext(ctx)
	if span == nil && len(h.taps) == 0 {
		return nil
	}
	return &witness{span: span, legs: make([]witnessed, n), stream: query.Stream || h.cfg.ForceTCP}
}

// ask starts leg i at c.
func (w *witness) ask(i int, c *contender, query *upstream.Query, leg *race.Leg) (race.Retrier, time.Time) {
	l := &w.legs[i]
	l.Leg, l.to, l.begun = leg, c.server, time.Now()
	if w.span != nil {
		l.span = w.span.Tracer().StartSpan("exchange", ot.ChildOf(w.span.Context()), otext.SpanKindRPCClient)
		otext.PeerAddress.Set(l.span, c.String())
	}
	return c.Ask(query, l)
}

// Reply implements upstream.Receiver.
func (l *witnessed) Reply(msg []byte, at time.Time, stream bool) {
	l.end(msg, nil)
	l.Leg.Reply(msg, at, stream)
}

// Fail implements upstream.Receiver.
func (l *witnessed) Fail(err error) {
	l.end(nil, err)
	l.Leg.Fail(err)
}

// end notes how the leg ended, which happens once.
func (l *witnessed) end(msg []byte, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended.IsZero() {
		return
	}
	l.ended, l.reply = time.Now(), msg
	if l.span == nil {
		return
	}
	switch {
	case msg != nil:
		l.span.SetTag("dns.rcode", dns.RcodeToString[wire.Header(msg).Rcode()])
	case err != nil:
		otext.Error.Set(l.span, true)
		l.span.SetTag("error.message", err.Error())
	default:
		l.span.SetTag("dns.rcode", "none before the race was over")
	}
	l.span.Finish()
}

// testify passes on what there was to see when the race was over. It is called
// in the goroutine that serves the query, whose metadata the taps may want. What
// upstreams say later nobody hears.
func (w *witness) testify(ctx context.Context, taps []*dnstap.Dnstap, state request.Request, query *upstream.Query) {
	for i := range w.legs {
		l := &w.legs[i]
		l.mu.Lock()
		ended, reply := l.ended, l.reply
		l.mu.Unlock()
		for _, t := range taps {
			l.tap(ctx, t, state, w.stream, query.Msg, reply, ended)
		}
		if w.span != nil {
			l.end(nil, nil)
		}
	}
}

// tap shows the leg's query and, if there was one, its reply. Both have the id of
// the client's query, so that they are seen to belong together.
func (l *witnessed) tap(ctx context.Context, t *dnstap.Dnstap, state request.Request, stream bool, query, reply []byte, at time.Time) {
	show := func(kind tap.Message_Type, raw []byte, set func(m *tap.Message, raw []byte)) {
		m := new(tap.Message)
		msg.SetType(m, kind)
		msg.SetQueryTime(m, l.begun)
		ip, port := net.IP(l.to.Addr.Addr().AsSlice()), int(l.to.Addr.Port())
		if stream || !l.to.Transport.Datagram() {
			_ = msg.SetResponseAddress(m, &net.TCPAddr{IP: ip, Port: port})
		} else {
			_ = msg.SetResponseAddress(m, &net.UDPAddr{IP: ip, Port: port})
		}
		if t.IncludeRawMessage {
			raw = bytes.Clone(raw)
			wire.Header(raw).SetID(state.Req.Id)
		} else {
			raw = nil
		}
		set(m, raw)
		t.TapMessageWithMetadata(ctx, m, state)
	}
	show(tap.Message_FORWARDER_QUERY, query, func(m *tap.Message, raw []byte) { m.QueryMessage = raw })
	if reply != nil {
		show(tap.Message_FORWARDER_RESPONSE, reply, func(m *tap.Message, raw []byte) {
			m.ResponseMessage = raw
			msg.SetResponseTime(m, at)
		})
	}
}

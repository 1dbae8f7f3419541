package handler

import (
	"bytes"
	"context"
	"net"
	"time"

	"github.com/coredns/coredns/plugin/dnstap"
	"github.com/coredns/coredns/plugin/dnstap/msg"
	"github.com/coredns/coredns/request"
	tap "github.com/dnstap/golang-dnstap"
	"github.com/miekg/dns"
	ot "github.com/opentracing/opentracing-go"
	otext "github.com/opentracing/opentracing-go/ext"

	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// inspector returns what shows a race to the plugins dnstap and trace, or nil if neither is
// used. It is called when the race is over, in the goroutine that serves the query, whose
// metadata the taps may need; later replies are not shown.
func inspector(ctx context.Context, w dns.ResponseWriter, r *dns.Msg, taps []*dnstap.Dnstap, forceTCP bool) func(*pool.Race) {
	span := ot.SpanFromContext(ctx)
	if span == nil && len(taps) == 0 {
		return nil
	}
	return func(a *pool.Race) {
		for i, leg := range a.Legs() {
			if leg.Unasked {
				continue
			}
			if span != nil {
				trace(span, a, i, leg)
			}
			for _, t := range taps {
				tapLeg(ctx, t, request.Request{W: w, Req: r}, a, i, leg, forceTCP)
			}
		}
	}
}

// trace makes a span for a leg, below that of the client's query.
func trace(parent ot.Span, a *pool.Race, i int, leg race.LegReport) {
	span := parent.Tracer().StartSpan("exchange", ot.ChildOf(parent.Context()), otext.SpanKindRPCClient, ot.StartTime(leg.Asked))
	otext.PeerAddress.Set(span, a.Members[i].String())
	switch {
	case leg.Msg != nil:
		span.SetTag("dns.rcode", dns.RcodeToString[wire.Header(leg.Msg).Rcode()])
	case leg.Err != nil:
		otext.Error.Set(span, true)
		span.SetTag("error.message", leg.Err.Error())
	default:
		span.SetTag("dns.rcode", "none before the race was over")
	}
	end := leg.At
	if leg.Open() {
		end = time.Now()
	}
	span.FinishWithOptions(ot.FinishOptions{FinishTime: end})
}

// tapLeg shows a leg's query and, if there was one, its reply. Both have the id of
// the client's query, so that they can be matched.
func tapLeg(ctx context.Context, t *dnstap.Dnstap, state request.Request, a *pool.Race, i int, leg race.LegReport, forceTCP bool) {
	query := a.Query(i)
	stream := query.Stream || forceTCP || !a.Members[i].Server.Transport.Datagram()
	if leg.Msg != nil {
		stream = leg.Stream
	}
	show := func(kind tap.Message_Type, raw []byte, set func(m *tap.Message, raw []byte)) {
		m := new(tap.Message)
		msg.SetType(m, kind)
		msg.SetQueryTime(m, leg.Asked)
		setPeer(m, a.Members[i].Server, stream)
		if t.IncludeRawMessage {
			raw = bytes.Clone(raw)
			wire.Header(raw).SetID(state.Req.Id)
		} else {
			raw = nil
		}
		set(m, raw)
		t.TapMessageWithMetadata(ctx, m, state)
	}
	show(tap.Message_FORWARDER_QUERY, query.Msg, func(m *tap.Message, raw []byte) { m.QueryMessage = raw })
	if leg.Msg != nil {
		show(tap.Message_FORWARDER_RESPONSE, leg.Msg, func(m *tap.Message, raw []byte) {
			m.ResponseMessage = raw
			msg.SetResponseTime(m, leg.At)
		})
	}
}

// tapProtocols are dnstap's values for encrypted transports.
var tapProtocols = map[server.Transport]tap.SocketProtocol{
	server.TLS:   tap.SocketProtocol_DOT,
	server.HTTPS: tap.SocketProtocol_DOH,
}

// setPeer notes the upstream of a message and the protocol.
func setPeer(m *tap.Message, s server.Server, stream bool) {
	ip, port := net.IP(s.Addr.Addr().AsSlice()), int(s.Addr.Port())
	if stream && s.Transport != server.QUIC { // whose streams are UDP to the network
		_ = msg.SetResponseAddress(m, &net.TCPAddr{IP: ip, Port: port})
	} else {
		_ = msg.SetResponseAddress(m, &net.UDPAddr{IP: ip, Port: port})
	}
	if protocol, ok := tapProtocols[s.Transport]; ok {
		m.SocketProtocol = &protocol
	}
}

package handler

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"
	ot "github.com/opentracing/opentracing-go"
	"github.com/opentracing/opentracing-go/mocktracer"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// Each leg has a span under that of the client's query, which ends with the leg
// or with the race.
func TestTrace(t *testing.T) {
	closed := netip.MustParseAddrPort("127.0.0.1:1")
	knows, denies, silent := resolver(t, denies(good)), resolver(t, denies(nxdomain)), resolver(t, func(asked) {})
	tracer := mocktracer.New()
	var got []string
	for i, set := range [][]netip.AddrPort{{knows, silent}, {denies, closed}} { // the second race is over when both legs are
		h := started(Config{Upstreams: plain(set...), Values: option.Values{Rules: race.Rules{Timeout: testkit.Patience}, Patience: testkit.Patience}})
		defer h.Stop()
		root := tracer.StartSpan("servedns")
		ctx := ot.ContextWithSpan(context.Background(), root)
		if _, err := h.ServeDNS(ctx, new(test.ResponseWriter), question("host.example.", dns.TypeA)); err != nil {
			t.Fatal(err)
		}
		for _, s := range tracer.FinishedSpans()[2*i:] {
			if s.ParentID != root.Context().(mocktracer.MockSpanContext).SpanID {
				t.Errorf("the parent of %v is not the query's span", s)
			}
			got = append(got, fmt.Sprint(s.OperationName, " ", s.Tag("peer.address"), " ", s.Tag("dns.rcode"), " ", s.Tag("error")))
		}
		h.ServeDNS(context.Background(), new(test.ResponseWriter), question("other.example.", dns.TypeA))
		if n := len(tracer.FinishedSpans()); n != 2*(i+1) {
			t.Fatalf("%d spans after a query without one", n)
		}
	}
	want := []string{
		fmt.Sprintf("exchange %s NOERROR <nil>", knows),
		fmt.Sprintf("exchange %s NXDOMAIN <nil>", denies),
		fmt.Sprintf("exchange %s none before the race was over <nil>", silent),
		fmt.Sprintf("exchange %s <nil> true", closed),
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("spans are\n%q, want\n%q", got, want)
	}
}

// Who is not asked has no span.
func TestTraceLearned(t *testing.T) {
	knows, denies := resolver(t, denies(good)), resolver(t, denies(nxdomain))
	h := waiting(Config{Upstreams: plain(denies, knows), Values: option.Values{Rules: testRules, Patience: 2 * time.Second, Learn: time.Minute}}, testkit.Patience)
	defer h.Stop()
	for i, want := range []int{2, 1} {
		tracer := mocktracer.New()
		ctx := ot.ContextWithSpan(context.Background(), tracer.StartSpan("servedns"))
		if _, err := h.ServeDNS(ctx, new(test.ResponseWriter), question(fmt.Sprintf("host%d.example.", i), dns.TypeA)); err != nil {
			t.Fatal(err)
		}
		if n := len(tracer.FinishedSpans()); n != want {
			t.Errorf("query %d: %d spans, want %d", i, n, want)
		}
	}
}

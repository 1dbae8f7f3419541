package handler

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coredns/coredns/plugin/metadata"
	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"
	ot "github.com/opentracing/opentracing-go"
	"github.com/opentracing/opentracing-go/mocktracer"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// The path of an upstream may identify an account: it is nowhere to be seen, but two upstreams
// that differ in it are told apart.
func TestPathIsSecret(t *testing.T) {
	logged := testkit.Logged(t)
	ca := testkit.NewAuthority(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{
		ErrorLog:  stdlog.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{ca.Issue(x509.Certificate{DNSNames: []string{"dns.example"}})}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			msg, _ := io.ReadAll(r.Body)
			q := new(dns.Msg)
			if q.Unpack(msg) != nil || r.URL.Path != "/secret/one" {
				http.NotFound(w, r)
				return
			}
			m := new(dns.Msg).SetReply(q)
			if q.Question[0].Name == "host.example." {
				good(m)
			} else {
				nxdomain(m)
			}
			reply, _ := m.Pack()
			w.Header().Set("Content-Type", "application/dns-message")
			w.Write(reply)
		}),
	}
	done := make(chan struct{})
	go func() { defer close(done); s.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { s.Close(); <-done })
	var upstreams []server.Server
	for _, path := range []string{"/secret/one", "/secret/two?secret"} {
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		s, err := server.Parse("https://127.0.0.1%dns.example:" + port + path)
		if err != nil {
			t.Fatal(err)
		}
		upstreams = append(upstreams, s)
	}
	one, two := upstreams[0].String(), upstreams[1].String()
	if one == two {
		t.Fatalf("both are %s", one)
	}
	v := option.Values{Rules: testRules, Patience: testkit.Patience, TLS: &tls.Config{RootCAs: ca.Pool()}}
	v.Rules.Timeout = testkit.Patience
	h := started(Config{Upstreams: upstreams, Values: v})
	defer h.Stop()
	tracer := mocktracer.New()

	var seen []string // all that there is to be seen
	for _, name := range []string{"host.example.", "nowhere.example."} {
		ctx := ot.ContextWithSpan(metadata.ContextWithMetadata(context.Background()), tracer.StartSpan("servedns"))
		w := dnstest.NewRecorder(&test.ResponseWriter{})
		m := question(name, dns.TypeA)
		m.SetEdns0(1232, false)
		if _, err := h.ServeDNS(ctx, w, m); err != nil {
			t.Fatal(err)
		}
		if got := metadata.ValueFunc(ctx, "dnsmus/upstream")(); got != one {
			t.Errorf("%s is from %s", name, got)
		}
		seen = append(seen, w.Msg.String())
	}
	if !strings.Contains(seen[1], two) {
		t.Errorf("the extended error does not name %s:\n%s", two, seen[1])
	}
	testkit.Eventually(t, func() error {
		if logged.Count("Upstream "+two+" fails: HTTP status 404") == 0 {
			return errors.New("nothing is logged")
		}
		return nil
	})
	seen = append(seen, logged.String())
	for _, span := range tracer.FinishedSpans() {
		seen = append(seen, fmt.Sprint(span.OperationName, span.Tags()))
	}
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		seen = append(seen, f.String())
	}
	for _, want := range []string{one, two} {
		if !slices.ContainsFunc(seen, func(text string) bool { return strings.Contains(text, want) }) || seriesWith(t, want) == nil {
			t.Errorf("%s is nowhere", want)
		}
	}
	for _, text := range seen {
		if strings.Contains(text, "secret") {
			t.Errorf("the path is in %s", text)
		}
	}
}

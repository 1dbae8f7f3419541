//go:build linux

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// hostile is what upstreams put where text may stand. Those that can have no more than ASCII
// get the first part.
const (
	hostileASCII = "\n[ERROR] forged line \x1b[31m\x1b]0;title\x07\r\x7f"
	hostile      = hostileASCII + "\u009b1m\u202eevil\u2066\u2028\xff"
)

// mustShow requires that text is fit for a terminal and a log, though hostile text is in it.
func mustShow(t *testing.T, what, text string) {
	t.Helper()
	if !strings.Contains(text, "forged line") {
		t.Errorf("%s has none of what the upstreams say:\n%s", what, text)
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "[ERROR] forged") {
			t.Errorf("%s has a forged line", what)
		}
		for _, r := range strings.TrimSuffix(line, "\n") {
			if r == unicode.ReplacementChar || r != '\t' && !unicode.IsPrint(r) {
				t.Errorf("%s has %q in %q", what, r, line)
				break
			}
		}
	}
}

// TestHostileText has all text that upstreams can send forge lines of the log, change the
// terminal and turn the direction of writing.
func TestHostileText(t *testing.T) {
	l := newLoopback(t)
	ca := testkit.NewAuthority(t)
	root := l.write("ca.pem", encode("CERTIFICATE", ca.Cert.Raw))
	odd := ca.Issue(x509.Certificate{DNSNames: []string{"a" + hostileASCII + ".example", strings.Repeat("long.", 40) + "example"}})
	usual := ca.Issue(x509.Certificate{DNSNames: []string{"dns.example"}})

	certificate := "tls://127.0.0.1%dns.example:" + l.tcp(func(conn net.Conn) {
		tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{odd}, NextProtos: []string{"dot"}}).Handshake()
	})
	extended := func(rcode int) string {
		return l.fake(func(query *dns.Msg) *dns.Msg {
			r := new(dns.Msg).SetRcode(query, rcode)
			if query.IsEdns0() != nil {
				r.SetEdns0(1232, false)
				r.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeOther, ExtraText: hostile}}
			}
			return r
		})
	}
	for _, tc := range []struct {
		what, upstream string
		fails          bool // which is logged
	}{
		{"names in a certificate", certificate, true},
		{"the end of a QUIC connection", closesQUIC(t, usual), true},
		{"a header of HTTP", refusesHTTPS(t, usual), true},
		{"an extended error of SERVFAIL", extended(dns.RcodeServerFailure), false},
		{"an extended error of REFUSED", extended(dns.RcodeRefused), false},
	} {
		t.Run(tc.what, func(t *testing.T) {
			l := loopback{l.in(t)}
			port, metrics, p := l.server("dnsmus " + tc.upstream + " " + l.fake(denies) + " {\ntls " + root + "\n}")
			query := new(dns.Msg).SetQuestion("host.example.", dns.TypeA)
			query.SetEdns0(1232, false)
			c := dns.Client{Timeout: patience}
			r, _, err := c.Exchange(query, "127.0.0.1:"+port)
			if err != nil || r.Rcode != dns.RcodeNameError || r.IsEdns0() == nil || len(r.IsEdns0().Option) != 1 {
				t.Fatalf("%v, got\n%v", err, r)
			}
			mustShow(t, "the extended error", r.IsEdns0().Option[0].(*dns.EDNS0_EDE).ExtraText)
			if tc.fails {
				p.prints("fails")
				mustShow(t, "the log", p.Printed())
			}
			if _, body := l.get("http://127.0.0.1:" + metrics + "/metrics"); strings.Contains(body, "forged line") {
				t.Error("it is in the metrics")
			}
		})
	}
	for _, flags := range []string{"", "-json "} {
		_, out, problems := l.explain(flags + "host.example @" + certificate + " @" + extended(dns.RcodeServerFailure))
		mustShow(t, "explain "+flags, out)
		if problems != "" {
			mustShow(t, "what explain complains about", problems)
		}
	}
}

// closesQUIC is a server that closes each connection with a hostile reason.
func closesQUIC(t *testing.T, cert tls.Certificate) string {
	t.Helper()
	listener, err := quic.ListenAddr("127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"doq"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept(ctx)
			if err != nil {
				return
			}
			all.Go(func() {
				conn.AcceptStream(ctx)
				conn.CloseWithError(7, hostile)
			})
		}
	})
	t.Cleanup(func() { cancel(); listener.Close(); all.Wait() })
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return "quic://127.0.0.1%dns.example:" + port
}

// refusesHTTPS is a server that says what its content is in hostile words.
func refusesHTTPS(t *testing.T, cert tls.Certificate) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: time.Minute, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "forged line \u009b1m\u202e\xff"+strings.Repeat("x", 1000))
	})}
	done := make(chan struct{})
	go func() { defer close(done); s.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { s.Close(); <-done })
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return "https://127.0.0.1%dns.example:" + port
}

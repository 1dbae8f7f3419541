//go:build linux

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
)

// TestEncryptedHosts has upstreams at a path of their own, and such of which only the
// name is known, beside a resolver that knows their address and denies all else at once.
func TestEncryptedHosts(t *testing.T) {
	l := newLoopback(t)
	_, _, cfg := l.authority("ca").issue("server", x509.Certificate{})
	https := l.https(cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		label := map[string]string{"/abc123": "secret", "/dns-query": "secret", "/": r.URL.Query().Get("who")}[r.URL.Path]
		msg, _ := io.ReadAll(r.Body)
		query := new(dns.Msg)
		if label == "" || !strings.HasPrefix(r.Host, "dns.example") || query.Unpack(msg) != nil {
			http.NotFound(w, r)
			return
		}
		reply, _ := is(label)(query).Pack()
		w.Header().Set("Content-Type", "application/dns-message")
		w.Write(reply)
	}))
	dot := l.tcp(func(conn net.Conn) {
		secure := tls.Server(conn, cfg)
		for exchange(secure, is("secret")) == nil {
		}
		secure.Close()
	})
	var lookups atomic.Int32
	directory := func(address string) string {
		return l.fake(func(query *dns.Msg) *dns.Msg {
			q := query.Question[0]
			if q.Name != "dns.example." {
				return denies(query)
			}
			lookups.Add(1)
			switch {
			case address == "silent":
				return nil
			case address == "":
				return denies(query)
			}
			r := new(dns.Msg).SetReply(query)
			if q.Qtype == dns.TypeA {
				r.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.ParseIP(address)}}
			}
			return r
		})
	}
	knows := directory("127.0.0.1")
	for _, upstreams := range []string{
		"https://127.0.0.1%dns.example:" + https + "/abc123 " + l.fake(denies),
		"https://127.0.0.1%dns.example:" + https + "/?who=secret " + l.fake(denies),
		knows + " https://dns.example:" + https + "/abc123",
		"https://dns.example:" + https + " " + knows,
		knows + " tls://dns.example:" + dot,
	} {
		t.Run(upstreams, func(t *testing.T) {
			l := loopback{l.in(t)}
			lookups.Store(0)
			port, _, _ := l.server("dnsmus " + upstreams + " {\n tls ca.pem\n " + unhurried + "}")
			if n := lookups.Load(); n != 0 {
				t.Errorf("%d lookups before there was a query", n)
			}
			for n := range 20 {
				l.expect(fmt.Sprintf("@127.0.0.1 -p %s secret.x%d.example TXT", port, n), `NOERROR "secret"`)
			}
			if r := l.ask("@127.0.0.1 -p " + port + " nobody.example"); r.status != "NXDOMAIN" || inconclusive(r) {
				t.Errorf("a denial by all is\n%s", r.text)
			}
			if n := lookups.Load(); n > 20 { // for 21 queries; on a busy machine those of the one lookup are sent again
				t.Errorf("%d lookups", n)
			}
		})
	}
	// Whose address is not to be had gave no opinion.
	for _, address := range []string{"", "silent", "127.0.0.99"} {
		t.Run("not found: "+address, func(t *testing.T) {
			l := loopback{l.in(t)}
			port, _, _ := l.server("dnsmus " + directory(address) + " tls://dns.example:" + dot + " {\n tls ca.pem\n}")
			if r := l.ask("@127.0.0.1 -p " + port + " nobody.example"); r.status != "NXDOMAIN" || !inconclusive(r) || !strings.Contains(r.text, "tls://dns.example") {
				t.Errorf("a denial is\n%s", r.text)
			}
		})
	}
	status, out, problems := l.explain("secret.x.example TXT --ca ca.pem @" + knows + " @https://dns.example:" + https + "/abc123")
	if status != 0 || !strings.Contains(out, "* https://dns.example:"+https+"/#b3ec") {
		t.Errorf("explain: status %d\n%s%s", status, out, problems)
	}
	status, out, problems = l.explain("secret.x.example TXT @tls://dns.example")
	if status != 66 || !strings.Contains(problems, "tls://ADDR%dns.example") {
		t.Errorf("explain: status %d\n%s%s", status, out, problems)
	}
}

// inconclusive reports whether an extended error says so.
func inconclusive(r reply) bool {
	return slices.ContainsFunc(r.options, func(s string) bool { return strings.Contains(s, "EDE") })
}

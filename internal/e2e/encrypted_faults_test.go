//go:build linux

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// explained is the extended error in a reply.
func (r reply) explained() string {
	for _, line := range r.options {
		if strings.Contains(line, "EDE:") {
			return line
		}
	}
	return ""
}

// known is the plain resolver that knows good.*, and denies is the one that does
// not. Beside them every fault must be without consequence for what they know.
func (l loopback) beside(broken ...string) string {
	return strings.Join(append(broken, l.fake(is("good")), l.fake(denies)), " ")
}

// without asks again and again for what plain upstreams know, and once for what
// they deny: then the upstream, and why it gave no opinion, must be told.
func (l loopback) without(port, upstream, why string) {
	l.Helper()
	at := "@127.0.0.1 -p " + port + " "
	for n := range 5 {
		l.expect(fmt.Sprintf("%sgood.x%d.example TXT", at, n), `NOERROR "good"`)
	}
	r := l.ask(at + "+time=30 nobody.example TXT")
	told := r.explained()
	if r.status != "NXDOMAIN" || !strings.Contains(told, upstream) || !strings.Contains(told, why) {
		l.Errorf("%s, EDE %q; want NXDOMAIN, and %s and %q in the EDE\n%s", r, told, upstream, why, r.text)
	}
	_, out, _ := l.explain("nobody.example TXT --ca ca.pem @" + upstream)
	if !strings.Contains(out, why) {
		l.Errorf("explain does not say %q:\n%s", why, out)
	}
}

// unhurried lets a race wait longer than any client of the tests does, so that
// nothing which these get can have waited for a silent upstream.
const unhurried = "timeout 1m\n patience 1m\n"

// TestBadCertificates has a real server for all transports that is not to be
// trusted.
func TestBadCertificates(t *testing.T) {
	l := newLoopback(t)
	ca, other := l.authority("ca"), l.authority("other")
	for _, test := range []struct {
		what, name, why string
		by              authority
		template        x509.Certificate
	}{
		{"wrong name", "%else.example", "valid for dns.example, not else.example", ca, x509.Certificate{}},
		{"expired", "%dns.example", "certificate has expired", ca,
			x509.Certificate{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}},
		{"unknown authority", "", "certificate signed by unknown authority", other, x509.Certificate{}},
	} {
		name := strings.ReplaceAll(test.what, " ", "-")
		cert, key, _ := test.by.issue(name, test.template)
		var keys, upstreams []string
		for _, transport := range []string{"tls", "https", "quic"} {
			port := l.freePort()
			keys = append(keys, transport+"://.:"+port)
			upstreams = append(upstreams, transport+"://127.0.0.1"+test.name+":"+port)
		}
		server := l.secretCoreDNS(name, "127.0.0.1", cert, key, keys...)
		server.prints(keys[len(keys)-1])
		for _, upstream := range upstreams {
			t.Run(test.what+" "+upstream[:strings.Index(upstream, ":")], func(t *testing.T) {
				l := loopback{l.in(t)}
				port, _, _ := l.server("dnsmus " + l.beside(upstream) + " {\n tls ca.pem\n " + unhurried + "}")
				l.without(port, upstream, test.why)
			})
		}
	}
}

// TestEncryptedFaults has servers that fail at once, each in its way.
func TestEncryptedFaults(t *testing.T) {
	l := newLoopback(t)
	_, _, cfg := l.authority("ca").issue("server", x509.Certificate{})
	for _, test := range []struct {
		what, why string
		serve     func(net.Conn)
	}{
		{"hangs up", "connection closed by the upstream", func(conn net.Conn) { conn.Read(make([]byte, 1<<14)) }},
		{"plain", "does not look like a TLS handshake", func(conn net.Conn) {
			io.ReadFull(conn, make([]byte, 100))
			conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		}},
		{"resets after the query", "connection reset by peer", func(conn net.Conn) {
			secure := tls.Server(conn, cfg)
			readMsg(secure)
			conn.(*net.TCPConn).SetLinger(0)
		}},
		{"half a reply", "connection closed by the upstream", func(conn net.Conn) {
			secure := tls.Server(conn, cfg)
			readMsg(secure)
			secure.Write([]byte{0, 100, 1, 2, 3})
			secure.Close()
		}},
	} {
		t.Run(test.what, func(t *testing.T) {
			l := loopback{l.in(t)}
			upstream := "tls://127.0.0.1%dns.example:" + l.tcp(test.serve)
			port, _, _ := l.server("dnsmus " + l.beside(upstream) + " {\n tls ca.pem\n " + unhurried + "}")
			l.without(port, upstream, test.why)
		})
	}
	for _, transport := range []string{"tls", "https"} {
		t.Run("closed port "+transport, func(t *testing.T) {
			l := loopback{l.in(t)}
			upstream := transport + "://127.0.0.1:" + l.freePort()
			port, _, _ := l.server("dnsmus " + l.beside(upstream) + " {\n tls ca.pem\n " + unhurried + "}")
			l.without(port, upstream, "connection refused")
		})
	}
}

// TestHTTPFaults has servers that speak HTTP, but not DNS over it.
func TestHTTPFaults(t *testing.T) {
	l := newLoopback(t)
	_, _, cfg := l.authority("ca").issue("server", x509.Certificate{})
	for _, test := range []struct {
		what, why string
		handler   http.HandlerFunc
	}{
		{"not found", "404 Not Found", http.NotFound},
		{"a page", `type "text/html"`, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<p>Log in")
		}},
	} {
		t.Run(test.what, func(t *testing.T) {
			l := loopback{l.in(t)}
			upstream := "https://127.0.0.1%dns.example:" + l.https(cfg, test.handler)
			port, _, _ := l.server("dnsmus " + l.beside(upstream) + " {\n tls ca.pem\n " + unhurried + "}")
			l.without(port, upstream, test.why)
		})
	}
}

// TestOneBadExchange has a server that fails for some names, as one does whose own
// upstream is slow. Names that are asked at the same time must not suffer.
func TestOneBadExchange(t *testing.T) {
	l := newLoopback(t)
	_, _, cfg := l.authority("ca").issue("server", x509.Certificate{})
	upstream := "https://127.0.0.1%dns.example:" + l.https(cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		msg, _ := io.ReadAll(r.Body)
		query := new(dns.Msg)
		if err := query.Unpack(msg); err != nil {
			t.Error(err)
		}
		if strings.HasPrefix(query.Question[0].Name, "bad.") {
			http.Error(w, "no reply in time", http.StatusBadGateway)
			return
		}
		time.Sleep(20 * time.Millisecond)
		msg, _ = is("secret")(query).Pack()
		w.Header().Set("Content-Type", "application/dns-message")
		w.Write(msg)
	}))
	port, _, _ := l.server("dnsmus " + upstream + " " + l.fake(denies) + " {\n tls ca.pem\n " + unhurried + "}")
	var good, bad sync.WaitGroup
	stop := make(chan struct{})
	bad.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				ask("127.0.0.1:"+port, fmt.Sprintf("bad.x%d.example.", n), patience)
			}
		}
	})
	for client := range 10 {
		good.Go(func() {
			for n := range 20 {
				name := fmt.Sprintf("secret.x%d-%d.example.", client, n)
				if got := ask("127.0.0.1:"+port, name, patience); got != "NOERROR" {
					t.Errorf("%s: %s", name, got)
				}
			}
		})
	}
	good.Wait()
	close(stop)
	bad.Wait()
}

// https runs a server until the end of the test.
func (l loopback) https(cfg *tls.Config, handler http.Handler) (port string) {
	l.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.Fatal(err)
	}
	s := &http.Server{TLSConfig: cfg.Clone(), Handler: handler} // it adds its protocols
	go s.ServeTLS(listener, "", "")
	l.Cleanup(func() { s.Close() })
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	return port
}

// TestSlowServers has servers that begin late, of which the answer must be waited
// for and the plain ones' must not.
func TestSlowServers(t *testing.T) {
	l := newLoopback(t)
	_, _, cfg := l.authority("ca").issue("server", x509.Certificate{})
	held := make(chan struct{})
	serve := func(conn net.Conn) {
		secure := tls.Server(conn, cfg)
		for exchange(secure, is("secret")) == nil {
		}
	}
	upstream := "tls://127.0.0.1%dns.example:" + l.tcp(func(conn net.Conn) {
		<-held
		serve(conn)
	})
	port, _, _ := l.server("dnsmus " + l.beside(upstream) + " {\n tls ca.pem\n " + unhurried + "}")
	at := "@127.0.0.1 -p " + port + " "
	answered := make(chan string)
	go func() { answered <- l.ask(at + "+time=60 secret.example TXT").String() }()
	for n := range 5 {
		l.expect(fmt.Sprintf("%sgood.x%d.example TXT", at, n), `NOERROR "good"`)
	}
	select {
	case got := <-answered:
		t.Errorf("%s before the handshake", got)
	default:
	}
	close(held)
	if got := <-answered; got != `NOERROR "secret"` {
		t.Errorf("after the handshake: %s", got)
	}
}

// TestSilentServers has servers that connections lead to, but nothing comes from.
// They are down after a while, and then a denial does not wait for them; and they
// come back.
func TestSilentServers(t *testing.T) {
	l := newLoopback(t)
	_, _, cfg := l.authority("ca").issue("server", x509.Certificate{})
	for _, transport := range []string{"tls", "https", "quic"} {
		t.Run("never accepts "+transport, func(t *testing.T) {
			l := loopback{l.in(t)}
			t.Parallel()
			silent := l.tcp(nil)
			if transport == "quic" {
				udp, err := net.ListenPacket("udp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { udp.Close() })
				_, silent, _ = net.SplitHostPort(udp.LocalAddr().String())
			}
			l.dir = t.TempDir()
			upstream := transport + "://127.0.0.1:" + silent
			port, _, p := l.server("dnsmus " + l.beside(upstream) + " {\n timeout 40s\n patience 8s\n}")
			l.goesDown(port, upstream, p)
		})
	}
	t.Run("accepts and is silent", func(t *testing.T) {
		l := loopback{l.in(t)}
		var mu sync.Mutex
		silent := true
		reply := func(query *dns.Msg) *dns.Msg {
			mu.Lock()
			defer mu.Unlock()
			if silent {
				return nil
			}
			return is("secret")(query)
		}
		upstream := "tls://127.0.0.1%dns.example:" + l.tcp(func(conn net.Conn) {
			secure := tls.Server(conn, cfg)
			for exchange(secure, reply) == nil {
			}
		})
		port, _, p := l.server("dnsmus " + l.beside(upstream) + " {\n tls ca.pem\n timeout 40s\n patience 8s\n}")
		l.goesDown(port, upstream, p)
		mu.Lock()
		silent = false
		mu.Unlock()
		p.prints("Upstream " + upstream + " is up again") // by a probe: nobody asks
		l.expect("@127.0.0.1 -p "+port+" secret.example TXT", `NOERROR "secret"`)
	})
}

// goesDown asks for what the others deny until nobody waits for the upstream any
// longer. Before it is down a denial takes longer than dig waits here.
func (l loopback) goesDown(port, upstream string, p *process) {
	l.Helper()
	at := "@127.0.0.1 -p " + port + " "
	for n := range 5 {
		l.expect(fmt.Sprintf("%sgood.x%d.example TXT", at, n), `NOERROR "good"`)
	}
	r := l.ask(at + "+time=30 nobody.example TXT")
	if told := r.explained(); r.status != "NXDOMAIN" || !strings.Contains(told, upstream) {
		l.Errorf("%s, EDE %q; want NXDOMAIN, and %s in the EDE", r, told, upstream)
	}
	p.prints("Upstream " + upstream + " is down")
	for n := range 3 {
		r := l.ask(fmt.Sprintf("%s+time=6 nobody%d.example TXT", at, n))
		if told := r.explained(); r.status != "NXDOMAIN" || !strings.Contains(told, upstream) {
			l.Errorf("when it is down: %s, EDE %q; want NXDOMAIN at once, and %s in the EDE", r, told, upstream)
		}
	}
}

// TestHangUps has servers that close the connection after each reply, or reset
// it in the middle of some races. The queries that this cuts off are asked again,
// and sessions are resumed.
func TestHangUps(t *testing.T) {
	l := newLoopback(t)
	_, _, cfg := l.authority("ca").issue("server", x509.Certificate{})
	var mu sync.Mutex
	var resumed []bool
	note := func(state tls.ConnectionState) {
		mu.Lock()
		defer mu.Unlock()
		resumed = append(resumed, state.DidResume)
	}
	check := func(t *testing.T, n int) {
		t.Helper()
		testkit.Eventually(t, func() error { // the last is noted when it is answered already
			mu.Lock()
			defer mu.Unlock()
			if len(resumed) < n {
				return fmt.Errorf("there were %d connections, want %d", len(resumed), n)
			}
			return nil
		})
		mu.Lock()
		defer mu.Unlock()
		anew := 0
		for _, r := range resumed {
			if !r {
				anew++
			}
		}
		if resumed[0] || anew > 3 { // on a busy machine the first exchange may use as many streams as it can
			t.Errorf("sessions were resumed: %v; want that of all connections, but for the first", resumed)
		}
		resumed = nil
	}
	const names = 20
	known := func(t *testing.T, upstream string) {
		l := loopback{l.in(t)}
		port, _, _ := l.server("dnsmus " + upstream + " " + l.fake(denies) + " {\n tls ca.pem\n " + unhurried + "}")
		for n := range names {
			l.expect(fmt.Sprintf("@127.0.0.1 -p %s secret.x%d.example TXT", port, n), `NOERROR "secret"`)
		}
	}

	t.Run("tls", func(t *testing.T) {
		known(t, "tls://127.0.0.1%dns.example:"+loopback{l.in(t)}.tcp(func(conn net.Conn) {
			secure := tls.Server(conn, cfg)
			if exchange(secure, is("secret")) == nil {
				note(secure.ConnectionState())
			}
			secure.Close()
		}))
		check(t, names)
	})
	t.Run("https", func(t *testing.T) {
		known(t, "https://127.0.0.1%dns.example:"+loopback{l.in(t)}.https(cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			note(*r.TLS)
			msg, _ := io.ReadAll(r.Body)
			query := new(dns.Msg)
			if err := query.Unpack(msg); err != nil {
				t.Error(err)
			}
			msg, _ = is("secret")(query).Pack()
			w.Header().Set("Content-Type", "application/dns-message")
			w.Header().Set("Connection", "close")
			w.Write(msg)
		})))
		check(t, names)
	})
	t.Run("reset", func(t *testing.T) {
		n := 0
		known(t, "tls://127.0.0.1%dns.example:"+loopback{l.in(t)}.tcp(func(conn net.Conn) {
			mu.Lock()
			n++
			reset := n%2 != 0
			mu.Unlock()
			secure := tls.Server(conn, cfg)
			if !reset {
				exchange(secure, is("secret"))
			}
			readMsg(secure) // and the next stays without a reply
			conn.(*net.TCPConn).SetLinger(0)
		}))
	})
}

// TestEncryptedComesBack kills and stops a real server of each transport, and
// drops packets of it, with names of a plain one asked for all the time. Ports
// are the defaults.
func TestEncryptedComesBack(t *testing.T) {
	t.Parallel()
	type peer struct {
		upstream string
		start    func() *process
	}
	for _, way := range []struct {
		name, why string
		away      func(*lab, *process)
		back      func(l *lab, p *process, start func() *process) *process
	}{
		{"killed", "refused",
			func(_ *lab, p *process) { p.Kill() },
			func(_ *lab, _ *process, start func() *process) *process { return start() }},
		{"stopped", "",
			func(_ *lab, p *process) { p.Signal(syscall.SIGSTOP) },
			func(_ *lab, p *process, _ func() *process) *process { p.Signal(syscall.SIGCONT); return p }},
		{"dropped", "",
			func(l *lab, _ *process) { l.run("iptables", "-A", "INPUT", "-d", "127.0.0.16/28", "-j", "DROP") },
			func(l *lab, p *process, _ func() *process) *process { l.run("iptables", "-F"); return p }},
	} {
		t.Run(way.name, func(t *testing.T) {
			l := newLab(t, "unbound", "dnsmasq", "iptables")
			cert, key, _ := l.authority("ca").issue("server", x509.Certificate{})
			l.gamma()
			l.resolvConf("127.0.0.13")
			p := l.coredns(`
				.:53 {
					bind 127.0.0.1
					dnsmus resolv.conf.dnsmus {
						tls ca.pem
						tls_servername dns.example
					}
					errors
				}
				.:5553 {
					bind 127.0.0.1
					dnsmus resolv.conf.dnsmus {
						tls ca.pem
						tls_servername dns.example
						` + unhurried + `
					}
					errors
				}`).awaits("@127.0.0.1 db.corp.example")
			unbound := func() *process { return l.secretUnbound("127.0.0.17", "5300", "853", "443", cert, key) }
			for _, peer := range []peer{
				{"tls://127.0.0.17", unbound},
				{"https://127.0.0.17", unbound},
				{"quic://127.0.0.18", func() *process { return l.secretCoreDNS("quic", "127.0.0.18", cert, key, "quic://.:853") }},
			} {
				const secret = "@127.0.0.1 n.secret.example"
				server := peer.start()
				l.resolvConf(peer.upstream, "127.0.0.13")
				l.whileAsking(func(int) (query, want string) {
					return "-p 5553 db.corp.example", "NOERROR 10.3.0.30"
				}, func() {
					l.becomes(secret, "NOERROR 10.9.9.9")
					way.away(l, server)
					l.becomes(secret, "NXDOMAIN")
					host, _, _ := strings.Cut(peer.upstream, ":8")
					r := l.ask(secret)
					if told := r.explained(); r.status != "NXDOMAIN" || !strings.Contains(told, host) || peer.upstream[:4] != "quic" && !strings.Contains(told, way.why) {
						t.Errorf("%s: %s, EDE %q; want it to name %s and %q", peer.upstream, r, told, host, way.why)
					}
					server = way.back(l, server, peer.start)
					l.becomes(secret, "NOERROR 10.9.9.9")
				})
				// It is dropped from the file, and another added.
				l.resolvConf("127.0.0.13")
				l.becomes(secret, "NXDOMAIN")
				p.prints("removed: " + peer.upstream)
				server.Kill()
			}
		})
	}
}

package secure

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testCA is an authority that signs certificates.
type testCA struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newCA(t *testing.T) *testCA {
	ca := &testCA{t: t}
	ca.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ca.cert = ca.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, &ca.key.PublicKey)
	return ca
}

func (ca *testCA) sign(template, parent *x509.Certificate, key *ecdsa.PublicKey) *x509.Certificate {
	template.SerialNumber = big.NewInt(1)
	template.Subject = pkix.Name{CommonName: "test"}
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, ca.key)
	if err != nil {
		ca.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		ca.t.Fatal(err)
	}
	return cert
}

// server returns a configuration with a certificate of that template.
func (ca *testCA) server(template *x509.Certificate) *tls.Config {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	cert := ca.sign(template, ca.cert, &key.PublicKey)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
}

// client returns a configuration that trusts ca.
func (ca *testCA) client(name string) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return &tls.Config{RootCAs: pool, ServerName: name}
}

// valid is what the certificate of an honest server says.
func valid() *x509.Certificate {
	return &x509.Certificate{DNSNames: []string{"dns.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
}

// transport is one of those under test, with a server that answers each message
// with what answer makes of it; nil ends the connection.
type transport struct {
	name  string
	dial  func(*tls.Config) Dial
	serve func(t *testing.T, cfg *tls.Config, answer func([]byte) []byte) (address string)
}

var transports = []transport{
	{"tls", TLS, serveTLS},
	{"https", HTTPS, serveHTTPS},
	{"quic", QUIC, serveQUIC},
}

func serveTLS(t *testing.T, cfg *tls.Config, answer func([]byte) []byte) string {
	cfg.NextProtos = []string{"dot"}
	l, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				var write sync.Mutex
				for {
					msg, err := readFrame(conn)
					if err != nil {
						return
					}
					all.Go(func() {
						if reply := answer(msg); reply != nil {
							write.Lock()
							defer write.Unlock()
							conn.Write(frame(reply))
						} else {
							conn.Close()
						}
					})
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}

func serveHTTPS(t *testing.T, cfg *tls.Config, answer func([]byte) []byte) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{TLSConfig: cfg, ErrorLog: discard, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		msg, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/dns-query" || r.Header.Get("Content-Type") != mediaType || r.ProtoMajor != 2 {
			t.Errorf("got %s %s over %s: %v", r.Method, r.URL, r.Proto, err)
		}
		if id := binary.BigEndian.Uint16(msg); id != 0 {
			t.Errorf("a message has the id %d", id)
		}
		reply := answer(msg)
		if reply == nil {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", mediaType)
		w.Write(reply)
	})}
	done := make(chan struct{})
	go func() { defer close(done); s.ServeTLS(l, "", "") }()
	t.Cleanup(func() { s.Close(); <-done })
	return l.Addr().String()
}

func serveQUIC(t *testing.T, cfg *tls.Config, answer func([]byte) []byte) string {
	cfg.NextProtos = []string{"doq"}
	l, err := quic.ListenAddr("127.0.0.1:0", cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	all.Go(func() {
		for {
			conn, err := l.Accept(ctx)
			if err != nil {
				return
			}
			all.Go(func() {
				for {
					s, err := conn.AcceptStream(ctx)
					if err != nil {
						return
					}
					all.Go(func() {
						defer s.Close()
						raw, err := io.ReadAll(s) // up to the FIN
						if err != nil || len(raw) < 2 {
							return
						}
						if id := binary.BigEndian.Uint16(raw[2:]); id != 0 {
							t.Errorf("a message has the id %d", id)
						}
						if reply := answer(raw[2:]); reply != nil {
							s.Write(frame(reply))
						} else {
							conn.CloseWithError(1, "no")
						}
					})
				}
			})
		}
	})
	t.Cleanup(func() { cancel(); l.Close(); all.Wait() })
	return l.Addr().String()
}

// message is a query with that id, of which only the number counts.
func message(id uint16, n int) []byte {
	return append(binary.BigEndian.AppendUint16(nil, id), fmt.Sprintf("ten bytes. %d", n)...)
}

func forEach(t *testing.T, test func(t *testing.T, tr transport)) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) { test(t, tr) })
	}
}

func dial(t *testing.T, d Dial, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return d(ctx, "tcp", address)
}

// Many messages share a connection, replies come in any order, and each has the id
// of its query.
func TestExchanges(t *testing.T) {
	forEach(t, func(t *testing.T, tr transport) {
		ca := newCA(t)
		const n = 50
		var arrived atomic.Int32
		all := make(chan struct{})
		address := tr.serve(t, ca.server(valid()), func(msg []byte) []byte {
			if arrived.Add(1) == n {
				close(all)
			}
			<-all
			return append(msg, '!')
		})
		for _, name := range []string{"", "dns.example"} {
			conn, err := dial(t, tr.dial(ca.client(name)), address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for i := range n {
				if _, err := conn.Write(frame(message(uint16(i+1), i))); err != nil {
					t.Fatal(err)
				}
			}
			seen := make(map[string]bool)
			conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			for range n {
				reply, err := readFrame(conn)
				if err != nil {
					t.Fatal(err)
				}
				seen[string(reply)] = true
			}
			for i := range n {
				if !seen[string(message(uint16(i+1), i))+"!"] {
					t.Errorf("no reply to query %d", i)
				}
			}
		}
	})
}

func TestLargeReply(t *testing.T) {
	forEach(t, func(t *testing.T, tr transport) {
		ca := newCA(t)
		address := tr.serve(t, ca.server(valid()), func(msg []byte) []byte { return append(msg, make([]byte, maxMessage-len(msg))...) })
		conn, err := dial(t, tr.dial(ca.client("")), address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.Write(frame(message(7, 0)))
		reply, err := readFrame(conn)
		if err != nil || len(reply) != maxMessage || binary.BigEndian.Uint16(reply) != 7 {
			t.Errorf("got %d bytes, %v", len(reply), err)
		}
	})
}

// A server that cannot be trusted is not asked, and the error says why.
func TestDialErrors(t *testing.T) {
	forEach(t, func(t *testing.T, tr transport) {
		ca, other := newCA(t), newCA(t)
		expired := valid()
		expired.NotBefore, expired.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
		for _, tc := range []struct {
			what   string
			server *tls.Config
			client *tls.Config
			want   string
		}{
			{"wrong name", ca.server(valid()), ca.client("other.example"), "valid for dns.example, not other.example"},
			{"wrong address", ca.server(&x509.Certificate{DNSNames: []string{"dns.example"}}), ca.client(""), "doesn't contain any IP SANs"},
			{"expired", ca.server(expired), ca.client("dns.example"), "certificate has expired"},
			{"unknown authority", other.server(valid()), ca.client("dns.example"), "unknown authority"},
		} {
			address := tr.serve(t, tc.server, func([]byte) []byte { t.Error("it was asked"); return nil })
			conn, err := dial(t, tr.dial(tc.client), address)
			if err == nil {
				conn.Close()
				t.Errorf("%s: connected", tc.what)
			} else if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %v, want %s", tc.what, err, tc.want)
			}
		}
	})
}

// Dialling ends with its context, also when somebody listens who says nothing.
func TestDialEnds(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", tcp.Addr().String())
	if err != nil {
		t.Skip(err)
	}
	defer udp.Close()
	forEach(t, func(t *testing.T, tr transport) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if conn, err := tr.dial(new(tls.Config))(ctx, "tcp", tcp.Addr().String()); err == nil {
			conn.Close()
			t.Error("connected")
		}
	})
}

// When an exchange fails with the connection, there is an error. One that fails
// alone gets a reply that says why, and the others go on.
func TestFailedExchange(t *testing.T) {
	forEach(t, func(t *testing.T, tr transport) {
		ca := newCA(t)
		address := tr.serve(t, ca.server(valid()), func([]byte) []byte { return nil })
		conn, err := dial(t, tr.dial(ca.client("")), address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.Write(frame(message(1, 0)))
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		reply, err := readFrame(conn)
		if tr.name != "https" {
			if err == nil {
				t.Error("no error")
			}
			return
		}
		m := new(dns.Msg)
		if err != nil || m.Unpack(reply) != nil || m.Id != 1 || m.Rcode != dns.RcodeServerFailure || !strings.Contains(m.String(), "HTTP status 502 Bad Gateway") {
			t.Errorf("got %v, %v", m, err)
		}
		conn.Write(frame(message(2, 0)))
		if reply, err := readFrame(conn); err != nil || binary.BigEndian.Uint16(reply) != 2 {
			t.Errorf("after that: % x, %v", reply, err)
		}
	})
}

// Closing ends exchanges under way.
func TestClose(t *testing.T) {
	forEach(t, func(t *testing.T, tr transport) {
		ca := newCA(t)
		asked, release := make(chan struct{}), make(chan struct{})
		address := tr.serve(t, ca.server(valid()), func(msg []byte) []byte { close(asked); <-release; return msg })
		conn, err := dial(t, tr.dial(ca.client("")), address)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(frame(message(1, 0)))
		<-asked
		conn.Close()
		conn.Close()
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("it can be read from")
		}
		close(release)
	})
}

// Deadlines count, for package upstream closes connections that are idle by them.
func TestDeadline(t *testing.T) {
	forEach(t, func(t *testing.T, tr transport) {
		ca := newCA(t)
		address := tr.serve(t, ca.server(valid()), func(msg []byte) []byte { return msg })
		conn, err := dial(t, tr.dial(ca.client("")), address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		var timeout net.Error
		if _, err := conn.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("error is %v", err)
		}
	})
}

var discard = log.New(io.Discard, "", 0)

package secure

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

func TestMain(m *testing.M) { testkit.MainNoLeaks(m) }

// serverOf returns a configuration with a certificate of that template.
func serverOf(ca *testkit.Authority, template x509.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{ca.Issue(template)}}
}

// client returns a configuration that trusts ca.
func client(ca *testkit.Authority) *tls.Config { return &tls.Config{RootCAs: ca.Pool()} }

// valid is what the certificate of an honest server says.
func valid() x509.Certificate {
	return x509.Certificate{DNSNames: []string{"dns.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
}

// transport is one of those under test, with a server that answers each message
// with what answer makes of it; nil ends the connection. It is told whether
// sessions were resumed.
type transport struct {
	name  string
	serve func(t *testing.T, cfg *tls.Config, answer func([]byte) []byte, told func(tls.ConnectionState)) (address string)
}

var transports = []transport{{"tls", serveTLS}, {"https", serveHTTPS}, {"quic", serveQUIC}}

// use is the configuration of a client.
func (tr transport) use(name string, cfg *tls.Config) *upstream.Config {
	to := &upstream.Config{Timeout: testkit.Patience, Patience: testkit.Patience}
	over, _ := server.ParseTransport(tr.name)
	Use(to, server.ID{Transport: over, Name: name, Addr: netip.MustParseAddrPort("127.0.0.1:1")}, cfg, nil)
	return to
}

// untold is for servers of which nobody wants to know.
func untold(tls.ConnectionState) {}

func serveTLS(t *testing.T, cfg *tls.Config, answer func([]byte) []byte, told func(tls.ConnectionState)) string {
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
					msg, err := testkit.ReadFrame(conn)
					if err != nil {
						return
					}
					told(conn.(*tls.Conn).ConnectionState())
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

func serveHTTPS(t *testing.T, cfg *tls.Config, answer func([]byte) []byte, told func(tls.ConnectionState)) string {
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
		told(*r.TLS)
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

// serveEachStream is a server over QUIC that does with each stream what it is given.
func serveEachStream(t *testing.T, cfg *tls.Config, serve func(*quic.Conn, *quic.Stream)) string {
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
					all.Go(func() { serve(conn, s) })
				}
			})
		}
	})
	t.Cleanup(func() { cancel(); l.Close(); all.Wait() })
	return l.Addr().String()
}

func serveQUIC(t *testing.T, cfg *tls.Config, answer func([]byte) []byte, told func(tls.ConnectionState)) string {
	return serveEachStream(t, cfg, func(conn *quic.Conn, s *quic.Stream) {
		defer s.Close()
		raw, err := io.ReadAll(s) // up to the FIN
		if err != nil || len(raw) < 2 {
			return
		}
		if id := binary.BigEndian.Uint16(raw[2:]); id != 0 {
			t.Errorf("a message has the id %d", id)
		}
		told(conn.ConnectionState().TLS)
		if reply := answer(raw[2:]); reply != nil {
			s.Write(frame(reply))
		} else {
			conn.CloseWithError(1, "no")
		}
	})
}

func forEach(t *testing.T, test func(t *testing.T, tr transport)) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) { test(t, tr) })
	}
}

func question(name string) []byte {
	msg, err := new(dns.Msg).SetQuestion(name, dns.TypeTXT).Pack()
	if err != nil {
		panic(err) // of a constant
	}
	binary.BigEndian.PutUint16(msg, 0)
	return msg
}

// same is a reply that says no more than that it is one.
func same(msg []byte) []byte {
	reply := bytes.Clone(msg)
	reply[2] |= 0x80
	return reply
}

// connect opens a connection, which is a RoundTripper for all transports here.
func connect(t *testing.T, cfg *upstream.Config, address string) (upstream.RoundTripper, error) {
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	to := udp.Peer{Addr: netip.MustParseAddrPort(address)}
	if cfg.DialRoundTripper != nil {
		return cfg.DialRoundTripper(ctx, to)
	}
	conn, err := cfg.Dial(ctx, to)
	return plain{conn}, err
}

// plain asks one query after another.
type plain struct{ net.Conn }

func (p plain) Done() <-chan struct{} { return nil }

func (p plain) RoundTrip(ctx context.Context, msg []byte) ([]byte, error) {
	if deadline, ok := ctx.Deadline(); ok {
		p.SetDeadline(deadline)
	}
	if _, err := p.Write(frame(msg)); err != nil {
		return nil, err
	}
	return testkit.ReadFrame(p)
}

// exchangeOnce asks a query over a connection of its own.
func exchangeOnce(t *testing.T, cfg *upstream.Config, address string, msg []byte) ([]byte, error) {
	conn, err := connect(t, cfg, address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.RoundTrip(t.Context(), msg)
}

// receiver is an upstream.Receiver.
type receiver struct {
	reply chan []byte
	fail  chan error
}

func (r receiver) Reply(msg []byte, _ instant.Time, _ bool) { r.reply <- msg }
func (r receiver) Fail(err error)                           { r.fail <- err }
func (receiver) Health(bool, uint64)                        {}
func (receiver) Again()                                     {}
func (receiver) Doubtful()                                  {}
func (receiver) Unresponsive(bool)                          {}
func (receiver) Waiting() bool                              { return true }

// Many queries share few connections, replies come in any order, and each has the
// question of its query.
func TestShared(t *testing.T) {
	forEach(t, func(t *testing.T, tr transport) {
		ca := testkit.NewAuthority(t)
		const n = 50
		var arrived atomic.Int32
		all := make(chan struct{})
		address := tr.serve(t, serverOf(ca, valid()), func(msg []byte) []byte {
			if arrived.Add(1) == n {
				close(all)
			}
			<-all
			return same(msg)
		}, untold)
		for _, name := range []string{"", "dns.example"} {
			cfg := tr.use(name, client(ca))
			cfg.Addr = netip.MustParseAddrPort(address)
			u := upstream.New(*cfg)
			receivers := make([]receiver, n)
			for i := range receivers {
				receivers[i] = receiver{make(chan []byte, 1), make(chan error, 1)}
				u.Ask(&upstream.Query{Msg: question(fmt.Sprintf("host%d.example.", i))}, receivers[i])
			}
			for i, r := range receivers {
				select {
				case reply := <-r.reply:
					if want := same(question(fmt.Sprintf("host%d.example.", i))); !bytes.Equal(reply[2:], want[2:]) {
						t.Errorf("query %d: reply % x", i, reply)
					}
				case err := <-r.fail:
					t.Errorf("query %d: %v", i, err)
				}
			}
			u.Close()
		}
	})
}

func TestLargeReply(t *testing.T) {
	forEach(t, func(t *testing.T, tr transport) {
		ca := testkit.NewAuthority(t)
		large := func(msg []byte) []byte { return append(msg, make([]byte, maxMessage-len(msg))...) }
		address := tr.serve(t, serverOf(ca, valid()), large, untold)
		reply, err := exchangeOnce(t, tr.use("", client(ca)), address, question("."))
		if want := large(question(".")); err != nil || !bytes.Equal(reply, want) {
			t.Errorf("got %d bytes, %v", len(reply), err)
		}
	})
}

// A session is resumed when a server is dialled again.
func TestResumes(t *testing.T) {
	forEach(t, func(t *testing.T, tr transport) {
		ca := testkit.NewAuthority(t)
		var mu sync.Mutex
		var resumed []bool
		address := tr.serve(t, serverOf(ca, valid()), same, func(state tls.ConnectionState) {
			mu.Lock()
			defer mu.Unlock()
			resumed = append(resumed, state.DidResume)
		})
		cfg := tr.use("dns.example", client(ca))
		for range 3 {
			if _, err := exchangeOnce(t, cfg, address, question(".")); err != nil {
				t.Fatal(err)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if want := []bool{false, true, true}; !slices.Equal(resumed, want) {
			t.Errorf("resumed: %v, want %v", resumed, want)
		}
	})
}

// A server that cannot be trusted is not asked, and the error says why.
func TestDialErrors(t *testing.T) {
	forEach(t, func(t *testing.T, tr transport) {
		ca, other := testkit.NewAuthority(t), testkit.NewAuthority(t)
		expired := valid()
		expired.NotBefore, expired.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
		for _, tc := range []struct {
			what   string
			server *tls.Config
			name   string
			want   string
		}{
			{"wrong name", serverOf(ca, valid()), "other.example", "valid for dns.example, not other.example"},
			{"wrong address", serverOf(ca, x509.Certificate{DNSNames: []string{"dns.example"}}), "", "doesn't contain any IP SANs"},
			{"expired", serverOf(ca, expired), "dns.example", "certificate has expired"},
			{"unknown authority", serverOf(other, valid()), "dns.example", "unknown authority"},
		} {
			address := tr.serve(t, tc.server, func([]byte) []byte { t.Error("it was asked"); return nil }, untold)
			conn, err := connect(t, tr.use(tc.name, client(ca)), address)
			if err == nil {
				conn.Close()
				t.Errorf("%s: connected", tc.what)
			} else if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %v, want %s", tc.what, err, tc.want)
			}
		}
	})
}

// Dialling ends in time, also when somebody listens who says nothing.
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
		cfg := tr.use("", nil)
		cfg.Addr, cfg.Timeout = netip.MustParseAddrPort(tcp.Addr().String()), 300*time.Millisecond
		u := upstream.New(*cfg)
		defer u.Close()
		r := receiver{make(chan []byte, 1), make(chan error, 1)}
		u.Ask(&upstream.Query{Msg: question(".")}, r)
		if err := <-r.fail; err.Error() != "no connection in time" {
			t.Errorf("error is %v", err)
		}
	})
}

// An exchange that fails with its connection has an error. One that fails alone
// says so, and the connection goes on.
func TestFailedExchange(t *testing.T) {
	forEach(t, func(t *testing.T, tr transport) {
		ca := testkit.NewAuthority(t)
		address := tr.serve(t, serverOf(ca, valid()), func([]byte) []byte { return nil }, untold)
		conn, err := connect(t, tr.use("", client(ca)), address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for range 2 {
			_, err = conn.RoundTrip(t.Context(), question("."))
			var alone upstream.QueryError
			if err == nil || errors.As(err, &alone) != (tr.name == "https") {
				t.Errorf("alone %v: %v", alone.Err != nil, err)
			}
			if tr.name == "https" && err.Error() != "HTTP status 502 Bad Gateway" {
				t.Errorf("error is %v", err)
			}
		}
		if tr.name == "quic" {
			<-conn.Done()
		}
	})
}

// An exchange can be called off, and the connection goes on.
func TestCalledOff(t *testing.T) {
	forEach(t, func(t *testing.T, tr transport) {
		if tr.name == "tls" {
			return // there package upstream matches replies itself
		}
		ca := testkit.NewAuthority(t)
		asked, release := make(chan struct{}, 2), make(chan struct{})
		address := tr.serve(t, serverOf(ca, valid()), func(msg []byte) []byte { asked <- struct{}{}; <-release; return msg }, untold)
		conn, err := connect(t, tr.use("", client(ca)), address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-asked; cancel() }()
		if reply, err := conn.RoundTrip(ctx, question(".")); err == nil {
			t.Errorf("reply % x", reply)
		}
		close(release)
		if _, err := conn.RoundTrip(t.Context(), question(".")); err != nil {
			t.Error(err)
		}
	})
}

// A connection that the server closes while it is idle says so.
func TestDone(t *testing.T) {
	ca := testkit.NewAuthority(t)
	cfg := transport{name: "https"}.use("", client(ca))
	var conn upstream.RoundTripper
	t.Run("server", func(t *testing.T) { // which ends with this
		var err error
		if conn, err = connect(t, cfg, serveHTTPS(t, serverOf(ca, valid()), same, untold)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.RoundTrip(t.Context(), question(".")); err != nil {
			t.Error(err)
		}
	})
	<-conn.Done()
	conn.Close()
}

var discard = log.New(io.Discard, "", 0)

// Servers that read no more than one message of a record get all of them.
func TestTLSRecords(t *testing.T) {
	ca := testkit.NewAuthority(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", serverOf(ca, valid()))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	records := make(chan []byte, 10)
	go func() {
		defer close(records)
		conn, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		for {
			b := make([]byte, 1<<17)
			n, err := conn.Read(b) // of one record
			if err != nil {
				return
			}
			records <- b[:n]
		}
	}()
	conn, err := TLS(client(ca))(t.Context(), udp.Peer{Addr: netip.MustParseAddrPort(l.Addr().String())})
	if err != nil {
		t.Fatal(err)
	}
	var messages [][]byte
	var all []byte
	for _, name := range []string{"a.example.", "bb.example.", "ccc.example."} {
		messages = append(messages, frame(question(name)))
		all = append(all, messages[len(messages)-1]...)
	}
	if n, err := conn.Write(all); n != len(all) || err != nil {
		t.Fatal(n, err)
	}
	for _, want := range messages {
		if got := <-records; !bytes.Equal(got, want) {
			t.Errorf("a record of % x, want % x", got, want)
		}
	}
	conn.Close()
	for range records {
		t.Error("one record too many")
	}
}

// Close ends a write that is stuck because the server does not read.
func TestCloseBesideStuckWrite(t *testing.T) {
	ca := testkit.NewAuthority(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", serverOf(ca, valid()))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	end := make(chan struct{})
	defer close(end)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		conn.(*tls.Conn).Handshake()
		<-end
		conn.Close()
	}()
	conn, err := TLS(client(ca))(t.Context(), udp.Peer{Addr: netip.MustParseAddrPort(l.Addr().String())})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetWriteDeadline(time.Now().Add(time.Hour))
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		batch := bytes.Repeat(frame(make([]byte, 1000)), 2000)
		for {
			if _, err := conn.Write(batch); err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Error(err) // such as that of a deadline
				}
				return
			}
		}
	}()
	time.Sleep(500 * time.Millisecond)
	conn.Close()
	<-wrote
}

package secure

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/ports"
)

// serveHTTP is a server over HTTPS with a handler of its own.
func serveHTTP(t *testing.T, ca *testkit.Authority, handler http.HandlerFunc) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{TLSConfig: serverOf(ca, valid()), ErrorLog: discard, Handler: handler}
	done := make(chan struct{})
	go func() { defer close(done); s.ServeTLS(l, "", "") }()
	t.Cleanup(func() { s.Close(); <-done })
	return l.Addr().String()
}

// A reply with more headers than any server has need of is none, wherever it has them; one
// with many is.
func TestLargeHeaders(t *testing.T) {
	const few, many = 8 << 10, 64 << 10
	for what, test := range map[string]struct {
		headers, trailers, early int
		taken                    bool
	}{
		"few headers":   {headers: few, taken: true},
		"headers":       {headers: many},
		"trailers":      {trailers: many},
		"early replies": {early: 20},
	} {
		t.Run(what, func(t *testing.T) {
			ca := testkit.NewAuthority(t)
			address := serveHTTP(t, ca, func(w http.ResponseWriter, r *http.Request) {
				msg, _ := io.ReadAll(r.Body)
				w.Header().Set("Content-Type", mediaType)
				w.Header().Set("X-Large", strings.Repeat("x", test.headers))
				if test.early > 0 {
					w.Header().Set("Link", strings.Repeat("x", few))
				}
				for range test.early { // which are written from that map, so it stays as it is
					w.WriteHeader(http.StatusEarlyHints)
				}
				w.Write(same(msg))
				w.(http.Flusher).Flush()
				if test.trailers > 0 {
					w.Header().Set(http.TrailerPrefix+"X-Large", strings.Repeat("x", test.trailers))
				}
			})
			reply, err := exchangeOnce(t, transport{name: "https"}.use("", client(ca)), address, question("."))
			if taken := err == nil && len(reply) > 0; taken != test.taken {
				t.Errorf("got %d bytes, %v; want a reply: %v", len(reply), err, test.taken)
			}
		})
	}
}

// Of a reply without end no more is taken in than a message and what waits to be read.
func TestEndlessReply(t *testing.T) {
	const most = 4 * maxUnread
	for name, test := range map[string]struct {
		serve func(t *testing.T, ca *testkit.Authority, wrote func(int)) string
		reply int   // bytes
		err   error // instead of a reply
	}{
		"https": {serve: endlessHTTPS, err: errTooLong},
		"quic":  {serve: endlessQUIC, reply: maxMessage},
	} {
		t.Run(name, func(t *testing.T) {
			ca := testkit.NewAuthority(t)
			var sent atomic.Int64
			ended := make(chan struct{})
			address := test.serve(t, ca, func(n int) {
				if n < 0 {
					close(ended)
				}
				sent.Add(int64(max(n, 0)))
			})
			conn, err := connect(t, transport{name: name}.use("", client(ca)), address)
			if err != nil {
				t.Fatal(err)
			}
			// Either shows that a whole message was taken in: what of it the server counted before
			// its last write failed is another matter.
			reply, err := conn.RoundTrip(t.Context(), question("."))
			if len(reply) != test.reply && test.err == nil || !errors.Is(err, test.err) {
				t.Errorf("got %d bytes, %v; want %d, %v", len(reply), err, test.reply, test.err)
			}
			<-ended
			conn.Close()
			if n := sent.Load(); n > most {
				t.Errorf("the server was rid of %d bytes, want at most %d", n, most)
			}
		})
	}
}

// endless is what is written until that fails. The end is told as -1.
func endless(w io.Writer, wrote func(int)) {
	defer wrote(-1)
	for range 100 {
		n, err := w.Write(make([]byte, maxUnread/4))
		wrote(n)
		if err != nil {
			return
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
	}
}

func endlessHTTPS(t *testing.T, ca *testkit.Authority, wrote func(int)) string {
	return serveHTTP(t, ca, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		endless(w, wrote)
	})
}

func endlessQUIC(t *testing.T, ca *testkit.Authority, wrote func(int)) string {
	return serveQUICConn(t, ca, func(ctx context.Context, conn *quic.Conn) {
		s, err := conn.AcceptStream(ctx)
		if err != nil {
			return
		}
		s.Write([]byte{0xff, 0xff})
		endless(s, wrote)
	})
}

// serveQUICConn is a server over QUIC that does with the first connection what it is given.
func serveQUICConn(t *testing.T, ca *testkit.Authority, serve func(context.Context, *quic.Conn)) string {
	cfg := serverOf(ca, valid())
	cfg.NextProtos = []string{"doq"}
	l, err := quic.ListenAddr("127.0.0.1:0", cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if conn, err := l.Accept(ctx); err == nil {
			serve(ctx, conn)
		}
	}()
	t.Cleanup(func() { cancel(); l.Close(); <-done })
	return l.Addr().String()
}

// A server cannot open streams, on which it could send.
func TestQUICServerOpensStreams(t *testing.T) {
	ca := testkit.NewAuthority(t)
	errs := make(chan error, 2)
	address := serveQUICConn(t, ca, func(ctx context.Context, conn *quic.Conn) {
		_, err := conn.OpenStream()
		errs <- err
		_, err = conn.OpenUniStream()
		errs <- err
		<-ctx.Done()
	})
	conn, err := connect(t, transport{name: "quic"}.use("", client(ca)), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range cap(errs) {
		if err := <-errs; err == nil {
			t.Error("a server opened a stream")
		}
	}
}

// Connections over each transport count within the descriptors that upstreams may have, while
// they are open and while they are dialled, and no longer; of one that fails, too.
func TestDescriptors(t *testing.T) {
	counts := func(t *testing.T, want int) {
		t.Helper()
		for end := time.Now().Add(testkit.Patience); ports.Connections() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d connections are counted, want %d", ports.Connections(), want)
			}
		}
	}
	forEach(t, func(t *testing.T, tr transport) {
		ca := testkit.NewAuthority(t)
		address := tr.serve(t, serverOf(ca, valid()), same, untold)
		counts(t, 0)
		var conns []io.Closer
		for range 3 {
			conn, err := connect(t, tr.use("", client(ca)), address)
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, conn)
		}
		counts(t, len(conns))
		if _, err := connect(t, tr.use("", client(testkit.NewAuthority(t))), address); err == nil {
			t.Fatal("a server that is not trusted is connected to")
		}
		counts(t, len(conns))
		for _, conn := range conns {
			conn.Close()
			conn.Close()
		}
		counts(t, 0)
	})
}

// A server that sends without end what is no reply is cut off, be it asked or not.
func TestHTTPSFlood(t *testing.T) {
	for _, asked := range []bool{false, true} {
		ca := testkit.NewAuthority(t)
		cfg := serverOf(ca, valid())
		cfg.NextProtos = []string{"h2"}
		l, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			go io.Copy(io.Discard, conn)
			conn.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}) // settings, none
			ping := append([]byte{0, 0, 8, 6, 0, 0, 0, 0, 0}, "pingping"...)
			for err == nil {
				_, err = conn.Write(bytes.Repeat(ping, 500))
			}
		}()
		conn, err := connect(t, transport{name: "https"}.use("", client(ca)), l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if asked {
			if _, err := conn.RoundTrip(t.Context(), question(".")); err == nil {
				t.Error("there is a reply")
			}
		}
		<-conn.Done()
		<-ended
		conn.Close()
		l.Close()
	}
}

// Many long replies are no flood.
func TestHTTPSManyReplies(t *testing.T) {
	ca := testkit.NewAuthority(t)
	large := func(msg []byte) []byte { return append(msg, make([]byte, maxMessage-len(msg))...) }
	address := serveHTTPS(t, serverOf(ca, valid()), large, untold)
	conn, err := connect(t, transport{name: "https"}.use("", client(ca)), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var all sync.WaitGroup
	for range 20 {
		for range 20 {
			all.Go(func() {
				if reply, err := conn.RoundTrip(t.Context(), question(".")); err != nil || len(reply) != maxMessage {
					t.Errorf("%d bytes, %v", len(reply), err)
				}
			})
		}
		all.Wait()
	}
}

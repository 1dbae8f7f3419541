package secure

import (
	"context"
	"errors"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// serveStreams is a server that replies to each query, and leaves it to end whether and when
// its stream ends.
func serveStreams(t *testing.T, ca *testkit.Authority, end func(*quic.Stream)) string {
	return serveEachStream(t, serverOf(ca, valid()), func(_ *quic.Conn, s *quic.Stream) {
		raw, err := io.ReadAll(s)
		if err != nil || len(raw) < 2 {
			return
		}
		s.Write(frame(same(raw[2:])))
		end(s)
	})
}

// A reply is handed on when it is there, and not when its stream ends, which may come apart
// or never.
func TestQUICStreamEnds(t *testing.T) {
	for what, end := range map[string]func(*quic.Stream){
		"at once":        func(s *quic.Stream) { s.Close() },
		"soon":           func(s *quic.Stream) { time.AfterFunc(endWait/2, func() { s.Close() }) },
		"too late":       func(s *quic.Stream) { time.AfterFunc(2*endWait, func() { s.Close() }) },
		"never":          untilCancelled,
		"by a reset":     func(s *quic.Stream) { time.AfterFunc(5*time.Millisecond, func() { s.CancelWrite(1) }) },
		"after too much": func(s *quic.Stream) { s.Write([]byte{1, 2, 3}); s.Close() },
	} {
		t.Run(what, func(t *testing.T) {
			ca := testkit.NewAuthority(t)
			cfg := (transport{name: "quic"}).use("dns.example", client(ca))
			conn, err := connect(t, cfg, serveStreams(t, ca, end))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			testkit.Eventually(t, func() error { // one of many is quicker than the wait on any machine
				begun := time.Now()
				if _, err := conn.RoundTrip(t.Context(), question("host.example.")); err != nil {
					t.Fatal(err)
				}
				if time.Since(begun) >= endWait {
					return errors.New("replies take long")
				}
				return nil
			})
		})
	}
}

// untilCancelled ends a stream when the client wants no more of it.
func untilCancelled(s *quic.Stream) { context.AfterFunc(s.Context(), func() { s.CancelWrite(0) }) }

// However many streams do not end, few are awaited, and none is left behind.
func TestQUICStreamsNeverEnd(t *testing.T) {
	ca := testkit.NewAuthority(t)
	cfg := (transport{name: "quic"}).use("dns.example", client(ca))
	conn, err := connect(t, cfg, serveStreams(t, ca, untilCancelled))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.RoundTrip(t.Context(), question("host.example.")); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for range 1000 { // many more than the server allows at a time
		if _, err := conn.RoundTrip(t.Context(), question("host.example.")); err != nil {
			t.Fatal(err)
		}
		if n := runtime.NumGoroutine() - before; n > maxEnds+10 {
			t.Fatalf("%d goroutines more", n)
		}
	}
	testkit.Eventually(t, func() error {
		if n := len(conn.(quicConn).ends); n > 0 {
			return errors.New("streams are awaited for ever")
		}
		return nil
	})
}

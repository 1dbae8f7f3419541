package secure

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// With servers as they are by default a connection over each transport is open all the time
// until two minutes after the last query, and then closed.
func TestStaysWarm(t *testing.T) {
	testkit.Long(t)
	const warm = 2 * time.Minute
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			ca := testkit.NewAuthority(t)
			addr := tr.serve(t, serverOf(ca, valid()), same, func(tls.ConnectionState) {})
			cfg := tr.use("dns.example", client(ca))
			cfg.Addr, cfg.Warm = netip.MustParseAddrPort(addr), warm
			start := time.Now()
			var mu sync.Mutex
			open := 0
			note := func(change int) {
				mu.Lock()
				defer mu.Unlock()
				open += change
				t.Logf("%6.1f s: %d open", time.Since(start).Seconds(), open)
			}
			if dial := cfg.DialRoundTripper; dial != nil {
				cfg.DialRoundTripper = func(ctx context.Context, to udp.Peer) (upstream.RoundTripper, error) {
					conn, err := dial(ctx, to)
					if err == nil {
						note(1)
						go func() { <-conn.Done(); note(-1) }()
					}
					return conn, err
				}
			} else {
				dial := cfg.Dial
				cfg.Dial = func(ctx context.Context, to udp.Peer) (net.Conn, error) {
					conn, err := dial(ctx, to)
					if err == nil {
						note(1)
						conn = &noted{Conn: conn, closed: sync.OnceFunc(func() { note(-1) })}
					}
					return conn, err
				}
			}
			u := upstream.New(*cfg)
			defer u.Close()
			r := receiver{make(chan []byte, 1), make(chan error, 1)}
			u.Ask(&upstream.Query{Msg: question("host.example.")}, r)
			<-r.reply
			is := func() int {
				mu.Lock()
				defer mu.Unlock()
				return open
			}
			for last := start; time.Since(start) < warm-10*time.Second; time.Sleep(100 * time.Millisecond) {
				if is() > 0 {
					last = time.Now()
				} else if time.Since(last) > 20*time.Second { // else it may be opened again just now
					t.Fatalf("no connection is open %v after the query", time.Since(start))
				}
			}
			testkit.Eventually(t, func() error {
				if n := is(); n != 0 {
					return fmt.Errorf("%d connections are open", n)
				}
				return nil
			})
		})
	}
}

// noted is a connection of which somebody is told when it is closed.
type noted struct {
	net.Conn
	closed func()
}

func (c *noted) Close() error {
	c.closed()
	return c.Conn.Close()
}

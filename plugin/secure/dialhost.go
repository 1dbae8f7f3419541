package secure

import (
	"context"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// stagger is how long an attempt is waited for alone before the next address is dialled as
// well (RFC 8305, section 5).
const stagger = 250 * time.Millisecond

// dial returns a [Dial] that connects to an address of the host.
func (h *host) dial(dial Dial) Dial {
	return func(ctx context.Context, _ udp.Peer) (net.Conn, error) { return dialHost(ctx, h, dial) }
}

// dialRoundTripper likewise returns a [DialRoundTripper].
func (h *host) dialRoundTripper(dial DialRoundTripper) DialRoundTripper {
	return func(ctx context.Context, _ udp.Peer) (upstream.RoundTripper, error) { return dialHost(ctx, h, dial) }
}

// dialHost dials one address after another, each when the one before has failed or has
// taken long (stagger), and returns the first connection. Others are closed.
func dialHost[C io.Closer](ctx context.Context, h *host, dial func(ctx context.Context, to udp.Peer) (C, error)) (conn C, err error) {
	addrs, err := h.addresses(ctx)
	if err != nil {
		return conn, err
	}
	type attempt struct {
		addr netip.Addr
		conn C
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	attempts := make(chan attempt)
	pending := 0 // attempts
	defer func() {
		cancel()
		left := pending
		go func() {
			for range left {
				if a := <-attempts; a.err == nil {
					a.conn.Close()
				}
			}
		}()
	}()
	next := time.NewTimer(0)
	defer next.Stop()
	for len(addrs) > 0 || pending > 0 {
		select {
		case <-next.C:
			if len(addrs) == 0 {
				continue
			}
			to := addrs[0]
			addrs = addrs[1:]
			pending++
			go func() {
				conn, err := dial(ctx, udp.Peer{Addr: to})
				attempts <- attempt{to.Addr(), conn, err}
			}()
			next.Reset(stagger)
		case a := <-attempts:
			pending--
			if a.err == nil {
				h.dialled(a.addr)
				return a.conn, nil
			}
			err = a.err
			next.Reset(0)
		}
	}
	h.dialled(netip.Addr{})
	return conn, err
}

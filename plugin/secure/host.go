package secure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// Bootstrap looks up the addresses of a host, and how long they are valid. It ends when
// ctx is done.
type Bootstrap func(ctx context.Context, host string) (addrs []netip.Addr, ttl time.Duration, err error)

const (
	minTTL      = 10 * time.Second       // of addresses; and until a failed lookup is repeated while the last addresses are in use
	maxTTL      = time.Hour              // of addresses
	refreshWait = 500 * time.Millisecond // for new addresses, where the last ones are known
	retryAfter  = 500 * time.Millisecond // a failed lookup, where no addresses are known
	redialAfter = time.Second            // addresses of which none answered are looked up again
	maxAddrs    = 8                      // of a host
	stagger     = 250 * time.Millisecond // before the next address is dialled as well (RFC 8305, section 5)
)

// host is a server of which only the name is known. Its addresses are looked up when a
// connection is opened, and stay in use while no others are found.
type host struct {
	name      string
	port      uint16
	bootstrap Bootstrap

	mu     sync.Mutex
	known  []netip.Addr // the last that were found; the one that was connected to last comes first
	looked time.Time    // when the last lookup began
	until  time.Time    // when the next one is due
	err    error        // why none are known
}

// addresses returns where to dial, after a lookup if one is due. While no addresses are
// known it waits until ctx is done.
func (h *host) addresses(ctx context.Context) ([]netip.AddrPort, error) {
	h.mu.Lock()
	known, until, err := h.known, h.until, h.err
	h.mu.Unlock()
	if now := time.Now(); !now.Before(until) {
		if len(known) > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, refreshWait)
			defer cancel()
		}
		found, ttl, failed := h.bootstrap(ctx, h.name)
		known, err = h.learn(found, ttl, failed, now)
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("bootstrap: cannot resolve %s: %w", h.name, err)
	}
	var all []netip.AddrPort
	for _, addr := range known {
		all = append(all, netip.AddrPortFrom(addr, h.port))
	}
	return all, nil
}

// learn takes the result of a lookup that began at now. It returns the addresses to use.
func (h *host) learn(found []netip.Addr, ttl time.Duration, err error, now time.Time) ([]netip.Addr, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.looked = now
	switch {
	case err == nil && len(found) > 0:
		if len(h.known) > 0 && slices.Contains(found, h.known[0]) {
			found = front(found, h.known[0])
		}
		h.known, h.err = found[:min(len(found), maxAddrs)], nil
		h.until = now.Add(min(max(ttl, minTTL), maxTTL))
	case len(h.known) > 0:
		h.until = now.Add(minTTL)
	default:
		if h.err = err; err == nil {
			h.err = errNoAddress
		}
		h.until = now.Add(retryAfter)
	}
	return h.known, h.err
}

var errNoAddress = errors.New("no address")

// dialled notes which address was connected to; the zero value is none.
func (h *host) dialled(addr netip.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if slices.Contains(h.known, addr) {
		h.known = front(h.known, addr)
	} else if again := h.looked.Add(redialAfter); again.Before(h.until) {
		h.until = again
	}
}

// front returns the addresses with one of them before the others.
func front(addrs []netip.Addr, first netip.Addr) []netip.Addr {
	list := []netip.Addr{first}
	for _, addr := range addrs {
		if addr != first {
			list = append(list, addr)
		}
	}
	return list
}

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
	under := 0
	defer func() {
		cancel()
		left := under
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
	for len(addrs) > 0 || under > 0 {
		select {
		case <-next.C:
			if len(addrs) == 0 {
				continue
			}
			to := addrs[0]
			addrs = addrs[1:]
			under++
			go func() {
				conn, err := dial(ctx, udp.Peer{Addr: to})
				attempts <- attempt{to.Addr(), conn, err}
			}()
			next.Reset(stagger)
		case a := <-attempts:
			under--
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

package secure

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
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
)

// host is a server of which only the name is known. Its addresses are looked up when a
// connection is opened, and stay in use while no others are found.
type host struct {
	name      string
	port      uint16
	bootstrap Bootstrap

	mu    sync.Mutex
	known []netip.Addr // the last that were found; the one that was connected to last comes first
	begun time.Time    // when the last lookup began
	next  time.Time    // when the next one is due
	err   error        // why none are known
}

// addresses returns where to dial, after a lookup if one is due. While no addresses are
// known it waits until ctx is done.
func (h *host) addresses(ctx context.Context) ([]netip.AddrPort, error) {
	h.mu.Lock()
	known, next, err := h.known, h.next, h.err
	h.mu.Unlock()
	if now := time.Now(); !now.Before(next) {
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
	h.begun = now
	switch {
	case err == nil && len(found) > 0:
		if len(h.known) > 0 && slices.Contains(found, h.known[0]) {
			found = front(found, h.known[0])
		}
		h.known, h.err = found[:min(len(found), maxAddrs)], nil
		h.next = now.Add(min(max(ttl, minTTL), maxTTL))
	case len(h.known) > 0:
		h.next = now.Add(minTTL)
	default:
		if h.err = err; err == nil {
			h.err = errNoAddress
		}
		h.next = now.Add(retryAfter)
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
	} else if again := h.begun.Add(redialAfter); again.Before(h.next) {
		h.next = again
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

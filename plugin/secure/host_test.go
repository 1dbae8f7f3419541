package secure

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/udp"
)

func addrs(words ...string) (list []netip.Addr) {
	for _, w := range words {
		list = append(list, netip.MustParseAddr(w))
	}
	return list
}

// directory is a Lookup that says what a test tells it, and counts.
type directory struct {
	addrs []netip.Addr
	ttl   time.Duration
	err   error
	slow  time.Duration
	asked int
}

func (d *directory) lookup(ctx context.Context, host string) ([]netip.Addr, time.Duration, error) {
	d.asked++
	select {
	case <-time.After(d.slow):
		return d.addrs, d.ttl, d.err
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
}

// What was found is kept: as long as it holds, and on while nothing else is found.
func TestHostAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &directory{err: errors.New("nobody knows it")}
		h := &host{name: "dns.example", port: 853, bootstrap: d.lookup}
		expect := func(what string, asked int, want ...string) {
			t.Helper()
			got, err := h.addresses(t.Context())
			var text []string
			for _, a := range got {
				text = append(text, a.String())
			}
			if !slices.Equal(text, want) || (err == nil) != (len(want) > 0) || d.asked != asked {
				t.Errorf("%s: %v, %v, asked %d times; want %v, %d times", what, got, err, d.asked, want, asked)
			}
		}
		expect("nothing is known", 1)
		if _, err := h.addresses(t.Context()); err == nil || err.Error() != "bootstrap: cannot resolve dns.example: nobody knows it" {
			t.Error(err)
		}
		expect("nor soon after", 1)
		time.Sleep(retryAfter)
		expect("it is asked again", 2)
		d.err, d.addrs, d.ttl = nil, addrs("192.0.2.1", "2001:db8::1"), time.Minute
		time.Sleep(retryAfter)
		expect("it is known", 3, "192.0.2.1:853", "[2001:db8::1]:853")
		d.addrs = addrs("192.0.2.2", "192.0.2.1")
		time.Sleep(time.Minute - time.Nanosecond)
		expect("it holds", 3, "192.0.2.1:853", "[2001:db8::1]:853")
		h.dialled(netip.MustParseAddr("192.0.2.1"))
		time.Sleep(time.Nanosecond)
		expect("the one that answered stays in front", 4, "192.0.2.1:853", "192.0.2.2:853")
		d.err = errors.New("gone")
		time.Sleep(time.Minute)
		expect("it is kept", 5, "192.0.2.1:853", "192.0.2.2:853")
		expect("and not asked for at once", 5, "192.0.2.1:853", "192.0.2.2:853")
		d.err, d.addrs = nil, nil
		time.Sleep(minTTL)
		expect("it is kept without an error too", 6, "192.0.2.1:853", "192.0.2.2:853")
		d.slow = time.Hour
		time.Sleep(minTTL)
		begun := time.Now()
		expect("nobody waits for long", 7, "192.0.2.1:853", "192.0.2.2:853")
		if took := time.Since(begun); took != refreshWait {
			t.Errorf("it took %v", took)
		}
		d.slow, d.addrs, d.ttl = 0, addrs("192.0.2.3"), 0
		time.Sleep(minTTL)
		expect("others", 8, "192.0.2.3:853")
		h.dialled(netip.Addr{})
		expect("none answered", 8, "192.0.2.3:853")
		time.Sleep(redialAfter)
		d.ttl = 24 * time.Hour
		expect("so it is asked again", 9, "192.0.2.3:853")
		time.Sleep(maxTTL)
		d.addrs = slices.Repeat(addrs("192.0.2.4"), 100)
		expect("nothing holds for ever", 10, slices.Repeat([]string{"192.0.2.4:853"}, maxAddrs)...)
	})
}

// conn is a connection that notes whether it was closed.
type conn struct {
	net.Conn
	closed *sync.WaitGroup
}

func (c conn) Close() error { c.closed.Done(); return nil }

// An address that is silent or refuses holds nobody up.
func TestHostDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &directory{addrs: addrs("192.0.2.1", "192.0.2.2", "192.0.2.3"), ttl: time.Minute}
		h := &host{name: "dns.example", port: 853, bootstrap: d.lookup}
		var closed sync.WaitGroup
		var mu sync.Mutex
		takes := map[string]time.Duration{} // of those that answer, by address
		refuses := ""
		dial := h.dial(func(ctx context.Context, to udp.Peer) (net.Conn, error) {
			addr := to.Addr.Addr().String()
			mu.Lock()
			took, answers := takes[addr]
			refused := addr == refuses
			mu.Unlock()
			switch {
			case refused:
				return nil, errors.New("refused by " + addr)
			case !answers:
				<-ctx.Done()
				return nil, ctx.Err()
			}
			time.Sleep(took) // it does not mind that nobody waits
			closed.Add(1)
			return conn{closed: &closed}, nil
		})
		expect := func(what string, wantTook time.Duration, first string) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			begun := time.Now()
			c, err := dial(ctx, udp.Peer{})
			if err == nil {
				defer c.Close()
			}
			if took := time.Since(begun); took != wantTook || (err == nil) != (first != "") || first != "" && h.known[0].String() != first {
				t.Errorf("%s: %v after %v, first is %v; want %v, %s", what, err, took, h.known, wantTook, first)
			}
		}
		now := func(t map[string]time.Duration, r string) {
			mu.Lock()
			defer mu.Unlock()
			takes, refuses = t, r
		}
		const some, more = 100 * time.Millisecond, 400 * time.Millisecond
		now(map[string]time.Duration{"192.0.2.1": some}, "")
		expect("the first answers", some, "192.0.2.1")
		now(map[string]time.Duration{"192.0.2.2": some}, "")
		expect("the first is silent", stagger+some, "192.0.2.2")
		expect("it is not dialled first again", some, "192.0.2.2")
		now(map[string]time.Duration{"192.0.2.3": 0}, "192.0.2.2")
		expect("one refuses, one is silent", stagger, "192.0.2.3")
		now(map[string]time.Duration{"192.0.2.3": more, "192.0.2.1": more}, "")
		expect("two answer", more, "192.0.2.3")
		now(nil, "")
		expect("all are silent", 2*time.Second, "")
		d.err, h.known, h.next = errors.New("unknown"), nil, time.Time{}
		expect("no address", 0, "")
		time.Sleep(time.Minute)
		closed.Wait() // those that came too late as well
	})
}

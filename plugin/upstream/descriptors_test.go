package upstream

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// echoes runs a resolver on loopback that answers everything, until the end of the
// test.
func echoes(t *testing.T) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			conn.WriteToUDPAddrPort(replyTo(buf[:n], good), from)
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// When descriptors are short, all upstreams are asked all the same, over few shared
// ports, and that is said once.
func TestDescriptors(t *testing.T) {
	const many = 60
	b := ports.NewBudget(10, 10)
	said := 0
	f := func() { said++ }
	b.OnShort(f)
	var all []*Upstream
	for range many {
		u := New(Config{Addr: echoes(t), Timeout: testTimeout, Patience: testPatience, Dial: b.Dial, Ports: b.Ports()})
		t.Cleanup(u.Close)
		all = append(all, u)
	}
	for round := range 5 {
		var wg sync.WaitGroup
		for i, u := range all {
			wg.Go(func() {
				if o := ask(u, query(fmt.Sprintf("host%d.example.", i))); !o.good() {
					t.Errorf("round %d, upstream %d: %v after %v", round, i, o.err, o.after)
				}
			})
		}
		wg.Wait()
	}
	own, shared, _ := b.Open()
	if own > 10 {
		t.Errorf("%d sockets are open", own)
	}
	if shared == 0 || shared > ports.InUse {
		t.Errorf("%d shared ports", shared)
	}
	if said != 1 {
		t.Errorf("said %d times", said)
	}
	for _, u := range all {
		u.Close()
	}
	for end := time.Now().Add(testkit.Patience); ; time.Sleep(20 * time.Millisecond) {
		if own, shared, _ = b.Open(); own == 0 && shared == 0 {
			break
		} else if time.Now().After(end) {
			t.Fatalf("after Close %d shared ports and %d sockets are open", shared, own)
		}
	}
}

// A connection that cannot be had says what to do.
func TestDescriptorsTCP(t *testing.T) {
	b := ports.NewBudget(10, 0)
	to := udp.Peer{Addr: netip.MustParseAddrPort("127.0.0.1:1")}
	if _, err := b.Dial(t.Context(), to); err != ports.ErrDescriptors {
		t.Errorf("got %v", err)
	}
	if _, err := b.ListenUDP(t.Context(), to); err != ports.ErrDescriptors {
		t.Errorf("got %v for a connection over UDP", err)
	}
}

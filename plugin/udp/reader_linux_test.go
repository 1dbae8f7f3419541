package udp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// Sockets that come and go, on descriptors that others had before, get what is theirs, and leave
// no descriptor and no goroutine behind but the readers.
func TestSocketsComeAndGo(t *testing.T) {
	peer := echo(t, "udp4", "127.0.0.1")
	const at = 20 // a time
	var conns [at]Conn
	var ins [at]chan Packet
	descriptors := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	open := func(i int) {
		in := make(chan Packet, 1)
		c, err := Listen(false, func(packets []Packet) {
			for _, p := range packets {
				in <- Packet{Msg: append([]byte(nil), p.Msg...)}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		conns[i], ins[i] = c, in
	}
	for i := range at {
		open(i)
	}
	for range 4 * runtime.GOMAXPROCS(0) { // as many readers as there will be
		Reserve()
	}
	before, goroutines := descriptors(), runtime.NumGoroutine()
	for n := range uint16(500) {
		i := int(n) % at
		conns[i].Close()
		open(i)
		for j := range at {
			conns[j].Send([]Packet{{Peer: peer, Msg: binary.BigEndian.AppendUint16(nil, n*at+uint16(j))}})
		}
		for j := range at {
			if got := binary.BigEndian.Uint16(next(t, ins[j]).Msg); got != n*at+uint16(j) {
				t.Fatalf("socket %d got packet %d in round %d", j, got, n)
			}
		}
	}
	testkit.Eventually(t, func() error { // the reader may be about to give up the last one
		if now, routines := descriptors(), runtime.NumGoroutine(); now > before || routines > goroutines {
			return fmt.Errorf("%d descriptors, before %d; %d goroutines, before %d", now, before, routines, goroutines)
		}
		return nil
	})
	for _, c := range conns {
		c.Close()
	}
	readers.Lock()
	defer readers.Unlock()
	for _, r := range readers.all {
		if n := len(r.conns); n > 0 {
			t.Errorf("%d sockets are still read", n)
		}
	}
	if n := len(readers.all); n > runtime.GOMAXPROCS(0) {
		t.Errorf("%d readers", n)
	}
}

// A socket that is flooded does not keep those beside it from being read.
func TestFloodBesideOthers(t *testing.T) {
	peer := echo(t, "udp4", "127.0.0.1")
	var (
		c        Conn
		to       Peer
		received atomic.Int64
	)
	ready, over := make(chan struct{}), make(chan struct{})
	flood := func() { // a batch each time that one was read: so each is full
		var packets [2 * maxBatch]Packet
		for i := range packets {
			packets[i] = Packet{Peer: to, Msg: []byte("flood")}
		}
		c.Send(packets[:])
	}
	c, err := Listen(false, func(packets []Packet) {
		<-ready
		received.Add(int64(len(packets)))
		select {
		case <-over:
		default:
			flood()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	defer close(over)
	to = loopbackOf(t, c)
	close(ready)
	flood()
	testkit.Eventually(t, func() error {
		if received.Load() < 10*maxBatch {
			return errors.New("the flood has not begun")
		}
		return nil
	})
	for range 2 * runtime.GOMAXPROCS(0) { // each reader has some
		beside, in := open(t, Listen, false)
		beside.Send([]Packet{{Peer: peer, Msg: []byte("beside")}})
		if p := next(t, in); string(p.Msg) != "beside" {
			t.Errorf("got %q", p.Msg)
		}
	}
}

// A receiver that waits holds up no other for long.
func TestReceiverThatWaits(t *testing.T) {
	peer := echo(t, "udp4", "127.0.0.1")
	hold := make(chan struct{})
	defer close(hold)
	for range 2 * runtime.GOMAXPROCS(0) { // of each reader
		c, err := Listen(false, func([]Packet) { <-hold })
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Send([]Packet{{Peer: peer, Msg: []byte("held")}})
	}
	c, in := open(t, Listen, false)
	testkit.Eventually(t, func() error {
		c.Send([]Packet{{Peer: peer, Msg: []byte("beside")}})
		select {
		case <-in:
			return nil
		default:
		}
		another, err := Listen(false, func([]Packet) {}) // as ports are opened all the time
		if err != nil {
			t.Fatal(err)
		}
		another.Close()
		return errors.New("nothing is read")
	})
}

package udp

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
)

// Ports are drawn from nearly all that are nobody's, evenly, and never from those that a
// program may want: one that is started later finds its port free.
func TestDraw(t *testing.T) {
	reserved := new(portSet)
	reserved.add("40000-49999,50001\n")
	const n = 200000
	seen := make(map[uint16]int)
	for range n {
		port := draw(reserved)
		seen[port]++
		switch {
		case port < 1024, port >= 30000 && port <= 32767, port >= 40000 && port <= 49999, port == 50001:
			t.Fatalf("drew %d", port)
		}
	}
	for _, port := range []uint16{1194, 1701, 4500, 51820, 51821, 5353, 5060, 3478, 1812, 4789, 41641, 8080, 30053} {
		if seen[port] > 0 {
			t.Errorf("drew %d", port)
		}
	}
	free := 0
	for port := leastPort; port < 1<<16; port++ {
		if !taken().has(uint16(port)) && !reserved.has(uint16(port)) {
			free++
		}
	}
	if free < 45000 || len(seen) < free*9/10 {
		t.Errorf("%d of %d free ports were drawn", len(seen), free)
	}
	for port, k := range seen { // 4.2 times each is expected
		if k > 40 {
			t.Errorf("port %d was drawn %d times", port, k)
		}
	}
}

// Twenty sockets have ports that are no neighbours, on any system.
func TestNoNeighbours(t *testing.T) {
	open := make(map[int]bool)
	for range 20 {
		conn, err := listen(context.Background(), false, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		open[conn.LocalAddr().(*net.UDPAddr).Port] = true
	}
	neighbours := 0
	for port := range open {
		if taken().has(uint16(port)) {
			t.Errorf("port %d is another's", port)
		}
		if open[port+1] {
			neighbours++
		}
	}
	if len(open) != 20 || neighbours > 2 { // one pair in 150 runs
		t.Errorf("%d neighbours among %v", neighbours, open)
	}
}

// A port that another has, or that is kept, is passed over; when all are, the system finds one.
func TestDrawnPortInUse(t *testing.T) {
	for number, want := range map[syscall.Errno]int{addressInUse: maxDraws + 1, forbidden: maxDraws + 1, syscall.Errno(0x3fff): 1} {
		tries, last := 0, -1
		_, err := onDrawnPort(func(port int) (net.PacketConn, error) {
			tries++
			last = port
			return nil, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", number)}
		})
		if tries != want || (last == 0) != (want > 1) || !errors.Is(err, number) {
			t.Errorf("%v: %d tries, the last with port %d: %v", number, tries, last, err)
		}
	}
}

func TestPortSet(t *testing.T) {
	s := new(portSet)
	s.add("5, 7-9\n11\t65535,x,70000,3-1,-")
	for port := range 1 << 16 {
		want := port == 5 || port >= 7 && port <= 9 || port == 11 || port == 65535
		if s.has(uint16(port)) != want {
			t.Errorf("%s: %v", strconv.Itoa(port), !want)
		}
	}
}

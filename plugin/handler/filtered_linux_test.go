package handler

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// filtered is a resolver of which only UDP gets through: SYNs to its TCP port are
// dropped, because no program accepts and the backlog is full.
func filtered(t *testing.T, behave func(asked)) netip.AddrPort {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	up, _ := udpResolver(t, behave)
	bind := func() error {
		return syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(up.Port()), Addr: [4]byte{127, 0, 0, 1}})
	}
	for err = bind(); err == syscall.EADDRINUSE; err = bind() { // over TCP some other test has the port
		up, _ = udpResolver(t, behave)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	var fds []int
	for range 3 {
		c, _ := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
		syscall.Connect(c, &syscall.SockaddrInet4{Port: int(up.Port()), Addr: [4]byte{127, 0, 0, 1}})
		fds = append(fds, c)
	}
	t.Cleanup(func() {
		for _, c := range append(fds, fd) {
			syscall.Close(c)
		}
	})
	return up
}

// A client on TCP gets the good answer of an upstream whose TCP port is filtered.
func TestTCPFiltered(t *testing.T) {
	t.Parallel()
	fast := resolver(t, denies(nxdomain))
	knows := filtered(t, func(a asked) { a.reply(0, good) })
	addr := serve(t, []netip.AddrPort{fast, knows}, nil)
	if r := mustExchange(t, "udp", addr, question("host.example.", dns.TypeA)); r.Rcode != 0 {
		t.Fatalf("over UDP: %v", r)
	}
	time.Sleep(10 * time.Millisecond)
	for range 2 {
		start := time.Now()
		r := mustExchange(t, "tcp", addr, question("host.example.", dns.TypeA))
		if r.Rcode != 0 {
			t.Errorf("over TCP after %v: %s", time.Since(start), dns.RcodeToString[r.Rcode])
		}
	}
}

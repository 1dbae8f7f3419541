//go:build linux

package e2e

import (
	"net"
	"os"
	"runtime"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// inside calls f in the lab's namespace: sockets that f opens belong there.
func (l *lab) inside(f func()) {
	l.Helper()
	if err := inNetns(l.ns, f); err != nil {
		l.Fatal(err)
	}
}

func inNetns(name string, f func()) error {
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close()
	there, err := os.Open("/run/netns/" + name)
	if err != nil {
		return err
	}
	defer there.Close()
	runtime.LockOSThread()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	f()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		return err // the thread stays locked, so that nobody else gets it
	}
	runtime.UnlockOSThread()
	return nil
}

// fake is a resolver at port 53 of an address of the lab's, over UDP and TCP, until the
// end of the test.
func (l *lab) fake(addr string, h dns.HandlerFunc) {
	l.Helper()
	l.inside(func() {
		udp, err := net.ListenPacket("udp", addr+":53")
		if err != nil {
			l.Fatal(err)
		}
		tcp, err := net.Listen("tcp", addr+":53")
		if err != nil {
			l.Fatal(err)
		}
		for _, s := range []*dns.Server{{PacketConn: udp, Handler: h}, {Listener: tcp, Handler: h}} {
			started := make(chan struct{})
			s.NotifyStartedFunc = func() { close(started) }
			go s.ActivateAndServe()
			<-started
			l.Cleanup(func() { s.Shutdown() })
		}
	})
}

// ask is what a resolver of the lab's replies, over TCP, so that it is whole.
func (l *lab) ask(addr string, query *dns.Msg) (reply *dns.Msg, err error) {
	var conn net.Conn
	if e := inNetns(l.ns, func() { conn, err = net.Dial("tcp", addr+":53") }); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	reply, _, err = new(dns.Client).ExchangeWithConn(query, &dns.Conn{Conn: conn})
	return reply, err
}

//go:build linux

package e2e

import (
	"context"
	"net"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// inside calls f in the lab's namespace: sockets that f opens belong there, and so do
// programs that it starts.
func (l *lab) inside(f func()) {
	l.Helper()
	if l.ns == "" {
		f()
		return
	}
	if err := testkit.InNetns(l.ns, f); err != nil {
		l.Fatal(err)
	}
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

// whole is what a resolver of the lab's replies over TCP.
func (l *lab) whole(addr string, query *dns.Msg) (reply *dns.Msg, err error) {
	conn, err := l.dial(l.Context(), "tcp", addr+":53")
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	reply, _, err = new(dns.Client).ExchangeWithConn(query, &dns.Conn{Conn: conn})
	return reply, err
}

// dial connects from within the lab's namespace.
func (l *lab) dial(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	l.Helper()
	dialer := net.Dialer{FallbackDelay: -1} // so that no other goroutine dials
	l.inside(func() { conn, err = dialer.DialContext(ctx, network, addr) })
	return conn, err
}

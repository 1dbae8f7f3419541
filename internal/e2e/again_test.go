//go:build linux

package e2e

import (
	"net"
	"testing"
)

// A server whose port is taken when it begins is started again, when that is free.
func TestServerBeginsAgain(t *testing.T) {
	l := newLoopback(t)
	port := l.freePort()
	taken, err := net.ListenPacket("udp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	p := l.coredns(".:" + port + " {\nbind 127.0.0.1\nwhoami\n}")
	first := p.Pid()
	<-p.Done()
	taken.Close()
	if p.awaits("@127.0.0.1 -p " + port + " ready.example"); p.Pid() == first {
		t.Error("it was not begun again")
	}
}

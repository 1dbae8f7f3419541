package secure

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// Each encrypted transport has its dialer, and no other has one.
func TestDialers(t *testing.T) {
	for _, tr := range server.Transports() {
		if _, ok := dialers[tr]; ok != tr.Encrypted() {
			t.Errorf("%s is encrypted: %v, has a dialer: %v", tr, tr.Encrypted(), ok)
		}
	}
}

// Nothing leaves in plain text because a transport has no dialer.
func TestNoDialer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var heard atomic.Bool
	go func() {
		if conn, err := l.Accept(); err == nil {
			heard.Store(true)
			conn.Close()
		}
	}()
	for _, tr := range []server.Transport{0, 255, server.DNS} {
		cfg := upstream.Config{Addr: netip.MustParseAddrPort(l.Addr().String()), Timeout: testkit.Patience, Patience: testkit.Patience}
		Use(&cfg, server.ID{Transport: tr}, nil, nil)
		u := upstream.New(cfg)
		got := make(failure, 1)
		u.Ask(&upstream.Query{Msg: question("host.example.")}, got)
		want := "no encrypted connections over transport " + tr.String()
		select {
		case err := <-got:
			if err.Error() != want {
				t.Errorf("%s: %v, want %s", tr, err, want)
			}
		case <-time.After(testkit.Patience):
			t.Errorf("%s: nothing happened", tr)
		}
		u.Close()
	}
	if heard.Load() {
		t.Error("something was sent")
	}
}

// failure is told why an exchange fails.
type failure chan error

func (f failure) Fail(err error)                   { f <- err }
func (f failure) Reply([]byte, instant.Time, bool) {}
func (f failure) Health(bool, uint64)              {}
func (f failure) Again()                           {}
func (f failure) Doubtful()                        {}
func (f failure) Unresponsive(bool)                {}
func (f failure) Waiting() bool                    { return true }

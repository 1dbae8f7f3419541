package dnsmus

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin/pkg/reuseport"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// An address that another program has is an error. If that program would share it, this is warned
// of if it may be shared, and else an error that says how it may be.
func TestCheckListen(t *testing.T) {
	for _, test := range []struct {
		name  string
		other func(addr string) (io.Closer, error) // nil: nobody listens there
		share bool
		warns bool
		fails bool
	}{
		{name: "free"},
		{name: "free", share: true},
		{"TCP", func(addr string) (io.Closer, error) { return net.Listen("tcp", addr) }, true, false, true},
		{"UDP", func(addr string) (io.Closer, error) { return net.ListenPacket("udp", addr) }, true, false, true},
		{"shared TCP", func(addr string) (io.Closer, error) { return reuseport.Listen("tcp", addr) }, true, true, false},
		{"shared UDP", func(addr string) (io.Closer, error) { return reuseport.ListenPacket("udp", addr) }, true, true, false},
		{"shared TCP", func(addr string) (io.Closer, error) { return reuseport.Listen("tcp", addr) }, false, false, true},
		{"shared UDP", func(addr string) (io.Closer, error) { return reuseport.ListenPacket("udp", addr) }, false, false, true},
	} {
		t.Run(fmt.Sprintf("%s, shared %v", test.name, test.share), func(t *testing.T) {
			if strings.HasPrefix(test.name, "shared") && runtime.GOOS == "windows" {
				t.Skip("no address is shared on Windows")
			}
			logged := testkit.Logged(t)
			defer func(before bool) { Share = before }(Share)
			Share = test.share
			addr := testkit.FreeAddr(t)
			c := caddy.NewTestController("dns", "")
			_, port, _ := net.SplitHostPort(addr.String())
			c.ServerBlockKeys = []string{"dns://.:" + port}
			dnsserver.GetConfig(c).ListenHosts = []string{addr.Addr().String()}
			if test.other != nil {
				other, err := test.other(addr.String())
				if err != nil {
					t.Fatal(err)
				}
				defer other.Close()
			}
			err := checkListen(c)
			if (err != nil) != test.fails || err != nil && !strings.Contains(err.Error(), "another program listens there") {
				t.Errorf("the error is %v", err)
			}
			if offers := err != nil && strings.Contains(err.Error(), "-share"); offers != (test.fails && strings.HasPrefix(test.name, "shared")) {
				t.Errorf("it offers to share the address: %v, in %v", offers, err)
			}
			if strings.Contains(logged.String(), "Another program listens on "+addr.String()) != test.warns {
				t.Errorf("the log has %q", logged)
			}
		})
	}
}

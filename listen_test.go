package dnsmus

import (
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/coredns/caddy"
	"github.com/coredns/caddy/caddyfile"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin/pkg/reuseport"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// An address that another program has is an error. If that program would share it, this is warned
// of, but an error for a server that is started by hand.
func TestCheckListen(t *testing.T) {
	for _, test := range []struct {
		name  string
		other func(addr string) (io.Closer, error) // nil: nobody listens there
		file  string
		warns bool
		fails bool
	}{
		{name: "free", file: BuiltIn},
		{name: "free", file: "Corefile"},
		{"TCP", func(addr string) (io.Closer, error) { return net.Listen("tcp", addr) }, "Corefile", false, true},
		{"UDP", func(addr string) (io.Closer, error) { return net.ListenPacket("udp", addr) }, "Corefile", false, true},
		{"shared TCP", func(addr string) (io.Closer, error) { return reuseport.Listen("tcp", addr) }, "Corefile", true, false},
		{"shared UDP", func(addr string) (io.Closer, error) { return reuseport.ListenPacket("udp", addr) }, "Corefile", true, false},
		{"shared TCP", func(addr string) (io.Closer, error) { return reuseport.Listen("tcp", addr) }, BuiltIn, false, true},
		{"shared UDP", func(addr string) (io.Closer, error) { return reuseport.ListenPacket("udp", addr) }, BuiltIn, false, true},
	} {
		t.Run(test.name+" by "+test.file, func(t *testing.T) {
			if strings.HasPrefix(test.name, "shared") && runtime.GOOS == "windows" {
				t.Skip("no address is shared on Windows")
			}
			logged := testkit.Logged(t)
			addr := testkit.FreeAddr(t)
			c := caddy.NewTestController("dns", "")
			c.Dispenser = caddyfile.NewDispenser(test.file, strings.NewReader(""))
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
			if strings.Contains(logged.String(), "Another program listens on "+addr.String()) != test.warns {
				t.Errorf("the log has %q", logged)
			}
		})
	}
}

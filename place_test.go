package dnsmus

import (
	"fmt"
	"slices"
	"testing"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/local"
	_ "github.com/coredns/coredns/plugin/template"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// Plugins that may answer before dnsmus is asked are named, and no others.
func TestPlaceBefore(t *testing.T) {
	caddy.Quiet, dnsserver.Quiet = true, true
	testkit.Logged(t)
	var got []string
	dnsserver.Directives = append(dnsserver.Directives, "placing")
	plugin.Register("placing", func(c *caddy.Controller) error {
		c.OnStartup(func() error {
			got = place(c).Before
			return nil
		})
		return nil
	})
	for lines, want := range map[string][]string{
		"errors": nil,
		"errors\nlocal\ntemplate IN A x.example {\n rcode NXDOMAIN\n}": {"template", "local"},
	} {
		text := fmt.Sprintf("x.example:%d {\n bind 127.0.0.1\n %s\n dnsmus 192.0.2.1\n placing\n}\n", testkit.FreeAddr(t).Port(), lines)
		instance, err := caddy.Start(caddy.CaddyfileInput{Filepath: "Corefile", Contents: []byte(text), ServerTypeName: "dns"})
		if err == nil {
			instance.ShutdownCallbacks()
			err = instance.Stop()
		}
		slices.Sort(got)
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", lines, got, err, want)
		}
	}
}

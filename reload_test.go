package dnsmus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	_ "github.com/coredns/coredns/plugin/bind"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/handler"
)

func init() {
	if !slices.Contains(dnsserver.Directives, handler.Name) {
		dnsserver.Directives = append(dnsserver.Directives, handler.Name)
	}
	dnsserver.Directives = append(dnsserver.Directives, "failing")
	plugin.Register("failing", failing)
}

// failing is a plugin that fails as its argument says. It is set up after dnsmus.
func failing(c *caddy.Controller) error {
	c.Next()
	c.NextArg()
	how := c.Val()
	c.OnStartup(func() error {
		if how == "start" {
			return errors.New("at start")
		}
		return nil
	})
	if how == "setup" {
		return errors.New("at setup")
	}
	return nil
}

// upstreamsShown are the upstreams that have metrics.
func upstreamsShown(t *testing.T) (names []string) {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if l.GetName() == "to" && strings.HasPrefix(l.GetValue(), "192.0.2.8") {
					names = append(names, l.GetValue())
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// At whichever stage a reload fails, and however often, no upstream of the configuration that
// is given up has metrics, and those of the one that goes on have them until they go.
func TestReloadThatFails(t *testing.T) {
	caddy.Quiet, dnsserver.Quiet = true, true
	testkit.Logged(t)
	block := func(addr string, lines ...string) string {
		return fmt.Sprintf(".:%d {\n bind 127.0.0.1\n %s\n}\n", testkit.FreeAddr(t).Port(), strings.Join(append(lines, "dnsmus "+addr), "\n "))
	}
	input := func(text string) caddy.Input {
		return caddy.CaddyfileInput{Filepath: "Corefile", Contents: []byte(text), ServerTypeName: "dns"}
	}
	const old, fresh, second = "192.0.2.81:53", "192.0.2.82:53", "192.0.2.83:53"
	instance, err := caddy.Start(input(block(old, "failing no") + block(old)))
	if err != nil {
		t.Fatal(err)
	}
	shows := func(what string, want ...string) {
		t.Helper()
		if got := upstreamsShown(t); !slices.Equal(got, want) {
			t.Errorf("%s: there are metrics of %v, want %v", what, got, want)
		}
	}
	failed := func(what string, want float64) {
		t.Helper()
		families, err := prometheus.DefaultGatherer.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "coredns_dnsmus_reload_failed" {
				if got := f.Metric[0].GetGauge().GetValue(); got != want {
					t.Errorf("%s: reload_failed is %v, want %v", what, got, want)
				}
				return
			}
		}
		t.Error("there is no metric of reloads")
	}
	shows("at first", old)
	failed("at first", 0)
	for what, text := range map[string]string{
		"syntax":             block(fresh) + "{",
		"an unknown plugin":  block(fresh, "nothing"),
		"setup":              block(fresh) + block(second, "failing setup"),
		"start":              block(fresh) + block(second, "failing start"),
		"start of dnsmus":    block(fresh) + strings.Replace(block(second), "dnsmus "+second, "dnsmus "+second+" {\n except .\n }", 1),
		"address":            block(fresh) + ".:5553 {\n bind 192.0.2.1\n dnsmus " + second + "\n}",
		"with the same ones": block(old, "failing start"),
	} {
		for range 2 {
			if next, err := instance.Restart(input(text)); err == nil || next != instance {
				t.Fatalf("%s: the reload did not fail", what)
			}
			shows(what, old)
			failed(what, 1)
		}
	}
	for _, step := range []struct {
		text string
		want []string
	}{
		{block(fresh) + block(second), []string{fresh, second}},
		{block(fresh), []string{fresh}}, // a block is removed
		{block(fresh), []string{fresh}},
	} {
		if instance, err = instance.Restart(input(step.text)); err != nil {
			t.Fatal(err)
		}
		shows("reloaded", step.want...)
		failed("reloaded", 0)
	}
	instance.ShutdownCallbacks()
	if err := instance.Stop(); err != nil {
		t.Error(err)
	}
	shows("stopped")

	// A configuration without dnsmus does not hear that a reload fails; the next one does.
	plain := fmt.Sprintf(".:%d {\n bind 127.0.0.1\n failing no\n}\n", testkit.FreeAddr(t).Port())
	if instance, err = caddy.Start(input(plain)); err != nil {
		t.Fatal(err)
	}
	if _, err := instance.Restart(input(block(fresh, "failing start"))); err == nil {
		t.Fatal("the reload did not fail")
	}
	if instance, err = instance.Restart(input(block(old))); err != nil {
		t.Fatal(err)
	}
	shows("after one without dnsmus", old)
	instance.ShutdownCallbacks()
	instance.Stop()
	shows("stopped again")
}

package dnsmus

import (
	"errors"
	"slices"
	"strings"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/handler"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// Check reads a Corefile as CoreDNS does at its start, and returns the error that it would
// not start for. Nothing is started: no address is listened on, and no upstream is asked. It
// is for a program that ends then, and is called once.
func Check(corefile caddy.Input) error {
	read := errors.New("all was read")
	last := dnsserver.Directives[len(dnsserver.Directives)-1]
	caddy.RegisterParsingCallback(corefile.ServerType(), last, func(all caddy.Context) error {
		if _, err := all.MakeServers(); err != nil {
			return err
		}
		instances := caddy.Instances()
		for _, check := range checksOf(instances[len(instances)-1].Storage) {
			if err := check(); err != nil {
				return err
			}
		}
		return read // so CoreDNS goes no further
	})
	if _, err := caddy.Start(corefile); !errors.Is(err, read) {
		return err
	}
	return nil
}

// checksKey is where an instance has its checks in its storage.
type checksKey struct{}

func checksOf(storage map[any]any) []func() error {
	checks, _ := storage[checksKey{}].([]func() error)
	return checks
}

// onStart has a check made when all of a Corefile has been read: at the start, and by [Check].
func onStart(c *caddy.Controller, check func() error) {
	checks, _ := c.Get(checksKey{}).([]func() error)
	c.Set(checksKey{}, append(checks, check))
	c.OnStartup(check)
}

// checkNext warns if except leaves zones to the next plugin, and there is none, or if the next
// plugin gets no query. It is an error if except leaves all zones of the server block, which
// its keys name, to nobody.
func checkNext(keys, except []string, next plugin.Handler) error {
	const remedy = "add one that comes after dnsmus, such as 'forward . 192.0.2.1', or remove except"
	switch {
	case len(except) == 0 && next != nil:
		log.Warningf("The plugin %s has no effect: it comes after dnsmus, which replies to all queries; remove it, or leave zones to it: except ZONE...", next.Name())
	case len(except) == 0 || next != nil:
	case all(keys, except):
		return plugin.Error(handler.Name, errors.New("except leaves all names of the server block to the next plugin, and there is none; "+remedy))
	default:
		log.Warningf("Queries for %s fail: except leaves them to the next plugin, and there is none; %s", strings.Join(except, " "), remedy)
	}
	return nil
}

// all reports whether the zones hold all names of a server block.
func all(keys, zones []string) bool {
	return len(keys) > 0 && !slices.ContainsFunc(keys, func(key string) bool {
		_, zone, _, err := dnsserver.SplitProtocolHostPort(key)
		return err != nil || !plugin.Zones(zones).Contains(dns.CanonicalName(zone))
	})
}

// warnIdle warns of options that need what is not there.
func warnIdle(cfg handler.Config) {
	if cfg.History > 0 && !cfg.Control {
		log.Warning("history has no effect without control, which makes the socket to see it over; add control, or remove history")
	}
	if slices.ContainsFunc(cfg.Upstreams, func(s server.Server) bool { return s.Transport.Encrypted() }) {
		return
	}
	const none = "%s has no effect: no upstream is encrypted; write those that are as tls://192.0.2.1, https://192.0.2.1 or quic://192.0.2.1"
	if cfg.ServerName != "" {
		log.Warningf(none, "tls_servername")
	}
	if cfg.TLS != nil {
		log.Warningf(none, "tls")
	}
}

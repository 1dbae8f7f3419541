// Package dnsmus registers the CoreDNS plugin dnsmus, which sends every query to
// all upstream resolvers at once and replies with the first good answer. This
// file reads the stanza; docs/reference.md describes it.
package dnsmus

import (
	"crypto/tls"
	"fmt"
	"strings"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/dnstap"
	clog "github.com/coredns/coredns/plugin/pkg/log"
	pkgtls "github.com/coredns/coredns/plugin/pkg/tls"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/handler"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

var log = clog.NewWithPlugin(handler.Name)

func init() { plugin.Register(handler.Name, setup) }

func setup(c *caddy.Controller) error {
	st, err := parseStanza(c)
	if err != nil {
		return plugin.Error(handler.Name, err)
	}
	h := handler.New(st.Config)
	started.stopGivenUp()
	dnsserver.GetConfig(c).AddPlugin(func(next plugin.Handler) plugin.Handler {
		h.Next = next
		return h
	})
	c.OnStartup(func() error {
		if err := checkExcept(c.ServerBlockKeys, st.Except, h.Next); err != nil {
			return plugin.Error(handler.Name, err)
		}
		if t := dnsserver.GetConfig(c).Handler("dnstap"); t != nil {
			for t, ok := t.(*dnstap.Dnstap); ok; t, ok = t.Next.(*dnstap.Dnstap) { // there may be several, one after another
				h.SetTap(t)
			}
		}
		started.add(c, h)
		h.Start()
		h.Follow(st.list, st.listeners)
		return nil
	})
	c.OnRestartFailed(started.stopGivenUp)
	c.OnShutdown(func() error { return started.stop(h) })
	return nil
}

// stanza is the content of a stanza, and where its server block listens.
type stanza struct {
	handler.Config
	list      *source.List
	listeners handler.Listeners
}

// parseStanza reads the one stanza of a server block.
func parseStanza(c *caddy.Controller) (stanza, error) {
	cfg := stanza{Config: handler.Config{Values: option.Default()}}
	c.Next() // the plugin's name
	to := c.RemainingArgs()
	if len(to) == 0 {
		to = []string{source.DefaultFile()}
	}
	var err error
	if cfg.list, err = parseTo(c, to); err != nil {
		return cfg, err
	}
	cfg.listeners = listeners(c)
	if cfg.Upstreams, err = upstreams(c, cfg.list, cfg.listeners); err != nil {
		return cfg, err
	}
	if s, lacks := server.LacksBootstrap(cfg.Upstreams); lacks {
		return cfg, c.Errf("%s %s", asWritten(s, to), s.BootstrapHint())
	}

	if err := parseOptions(c, &cfg.Values); err != nil {
		return cfg, err
	}
	if c.Next() {
		return cfg, c.Errf("'%s': %v; give all upstreams in one stanza", c.Val(), plugin.ErrOnce)
	}
	return cfg, nil
}

// parseOptions reads the block of a stanza.
func parseOptions(c *caddy.Controller, v *option.Values) error {
	reader := reader(c)
	seen := make(map[string]bool)
	for c.NextBlock() {
		name := c.Val()
		o, ok := option.Find(name)
		if !ok {
			return c.Errf("unknown option '%s'; the options are %s", name, strings.Join(option.Names(), ", "))
		}
		if seen[name] {
			return c.Errf("option '%s' is given twice", name)
		}
		seen[name] = true
		args := c.RemainingArgs()
		if c.NextArg() { // RemainingArgs stops before a brace
			return c.Errf("option '%s' takes no block; remove the '%s'", name, c.Val())
		}
		if err := o.Set(v, args, reader); err != nil {
			return c.Errf("%s: %v; write: %s", name, err, o.Usage())
		}
		if err := v.Check(); err != nil {
			return c.Err(err.Error())
		}
	}
	return nil
}

// reader reads arguments of options as CoreDNS's plugins do.
func reader(c *caddy.Controller) option.Reader {
	return option.Reader{
		Zones: func(word string) []string { return plugin.Host(word).NormalizeExact() },
		TLS: func(files []string) (*tls.Config, error) {
			for i := range files {
				files[i] = filename(c, files[i])
			}
			return pkgtls.NewTLSConfigFromArgs(files...)
		},
	}
}

// checkExcept warns if except leaves zones to the next plugin, and there is none. It is an
// error if these are all zones of the server block, which its keys name.
func checkExcept(keys, except []string, next plugin.Handler) error {
	if next != nil || len(except) == 0 {
		return nil
	}
	const remedy = "add one that comes after dnsmus, such as 'forward . 192.0.2.1', or remove except"
	all := len(keys) > 0
	for _, key := range keys {
		_, zone, _, err := dnsserver.SplitProtocolHostPort(key)
		all = all && err == nil && plugin.Zones(except).Contains(dns.CanonicalName(zone))
	}
	if all {
		return fmt.Errorf("except leaves all names of the server block to the next plugin, and there is none; %s", remedy)
	}
	log.Warningf("Queries for %s fail: except leaves them to the next plugin, and there is none; %s", strings.Join(except, " "), remedy)
	return nil
}

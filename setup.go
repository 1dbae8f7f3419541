// Package dnsmus registers the CoreDNS plugin dnsmus, which sends every query to
// all upstream resolvers at once and replies with the first good answer. This
// file reads the stanza; docs/reference.md describes it.
package dnsmus

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/dnstap"
	clog "github.com/coredns/coredns/plugin/pkg/log"
	pkgtls "github.com/coredns/coredns/plugin/pkg/tls"

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
	c.OnFirstStartup(func() error { return checkListen(c) }) // later its own sockets are there
	onStart(c, func() error {
		if err := h.CheckControl(); err != nil {
			return plugin.Error(handler.Name, err)
		}
		return checkNext(c.ServerBlockKeys, st.Except, h.Next)
	})
	c.OnStartup(func() error {
		if t := dnsserver.GetConfig(c).Handler("dnstap"); t != nil {
			for t, ok := t.(*dnstap.Dnstap); ok; t, ok = t.Next.(*dnstap.Dnstap) { // there may be several, one after another
				h.SetTap(t)
			}
		}
		h.SetPlace(place(c))
		if err := h.Start(); err != nil {
			return plugin.Error(handler.Name, err)
		}
		started.add(c, h)
		h.Follow(st.list, st.listeners)
		handler.ReloadFailed(false) // it may yet, for another reason
		return nil
	})
	c.OnRestartFailed(func() error {
		handler.ReloadFailed(true)
		return started.stopGivenUp()
	})
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
	for _, text := range source.WarnOfWriters(c.File()) {
		log.Warning(text)
	}
	to, list, err := parseUpstreams(c)
	if err != nil {
		return cfg, err
	}
	cfg.list = list
	cfg.listeners = listeners(c)
	if cfg.Upstreams, err = upstreams(c, cfg.list, cfg.listeners); err != nil {
		return cfg, err
	}
	if s, lacks := server.LacksBootstrap(cfg.Upstreams); lacks {
		return cfg, c.Errf("%s %s", asWritten(s, to), s.BootstrapHint())
	}

	if err := parseOptions(c, &cfg.Values, slices.Contains(to, source.Links)); err != nil {
		return cfg, err
	}
	warnIdle(cfg.Config)
	if c.Next() {
		return cfg, c.Errf("'%s': %v; give all upstreams in one stanza", c.Val(), plugin.ErrOnce)
	}
	return cfg, nil
}

// parseOptions reads the block of a stanza, which asks the system's resolvers or not.
func parseOptions(c *caddy.Controller, v *option.Values, links bool) error {
	reader := reader(c)
	seen := make(map[string]bool)
	for c.NextBlock() {
		name := c.Val()
		o, ok := option.Find(name)
		if !ok {
			return c.Err(unknown(name))
		}
		if seen[name] {
			if strings.HasSuffix(o.Args, "...") {
				return c.Errf("option '%s' is given twice; write all that belongs to it in one line", name)
			}
			return c.Errf("option '%s' is given twice", name)
		}
		seen[name] = true
		args := c.RemainingArgs()
		if c.NextArg() { // RemainingArgs stops before a brace
			return c.Errf("option '%s' takes no block; remove the '%s'", name, c.Val())
		}
		if slices.Contains(args, "}") {
			return c.Errf("'}' stands on a line of its own, below the options")
		}
		if err := o.Set(v, args, reader); err != nil {
			return c.Errf("%s: %v; write: %s", name, err, o.Usage())
		}
		if err := v.Check(); err != nil {
			return c.Err(err.Error())
		}
		if v.PrivateLinks && !links {
			return c.Err("private_links needs 'links' among the upstreams: only the system says which domains an interface has; write: dnsmus links, or remove private_links")
		}
	}
	return nil
}

// unknown says that there is no option of that name, and what to write.
func unknown(name string) string {
	if instead, ok := option.Forward[name]; ok {
		return fmt.Sprintf("remove '%s', an option of forward that dnsmus does not need: %s", name, instead)
	}
	if slices.Contains(dnsserver.Directives, name) {
		return fmt.Sprintf("'%s' is a plugin of its own; write it below the } of dnsmus", name)
	}
	meant := ""
	if nearest, found := option.Nearest(name, option.Names()); found {
		meant = ", perhaps '" + nearest + "'"
	}
	return fmt.Sprintf("unknown option '%s'%s; the options are %s", name, meant, strings.Join(option.Names(), ", "))
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

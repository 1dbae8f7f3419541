// Package dnsmus registers the CoreDNS plugin dnsmus, which sends every query to
// all upstream resolvers at once and replies with the first good answer. This
// file reads the stanza; README.md describes it.
package dnsmus

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
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
	dnsserver.GetConfig(c).AddPlugin(func(next plugin.Handler) plugin.Handler {
		h.Next = next
		return h
	})
	c.OnStartup(func() error {
		if err := leadsNowhere(c.ServerBlockKeys, st.Except, h.Next); err != nil {
			return plugin.Error(handler.Name, err)
		}
		if t := dnsserver.GetConfig(c).Handler("dnstap"); t != nil {
			for t, ok := t.(*dnstap.Dnstap); ok; t, ok = t.Next.(*dnstap.Dnstap) { // they stand one after another
				h.SetTap(t)
			}
		}
		h.Start()
		h.Follow(st.list, st.listeners)
		return nil
	})
	c.OnShutdown(h.Stop)
	return nil
}

// stanza is what a stanza says, and where its server block listens.
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

	words := reader(c)
	seen := make(map[string]bool)
	for c.NextBlock() {
		name := c.Val()
		o, ok := option.Find(name)
		if !ok {
			return cfg, c.Errf("unknown option '%s'; the options are %s", name, strings.Join(option.Names(), ", "))
		}
		if seen[name] {
			return cfg, c.Errf("option '%s' is given twice", name)
		}
		seen[name] = true
		args := c.RemainingArgs()
		if c.NextArg() { // RemainingArgs stops before a brace
			return cfg, c.Errf("option '%s' has no block; take the '%s' away", name, c.Val())
		}
		if err := o.Set(&cfg.Values, args, words); err != nil {
			return cfg, c.Errf("%s: %v; write: %s", name, err, o.Usage())
		}
		if err := cfg.Check(); err != nil {
			return cfg, c.Err(err.Error())
		}
	}
	if c.Next() {
		return cfg, c.Errf("'%s': %v; give all upstreams in one stanza", c.Val(), plugin.ErrOnce)
	}
	return cfg, nil
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

// parseTo reads the words after the plugin's name: each is an address, the name of a
// resolv.conf, or the word for all that the system knows.
func parseTo(c *caddy.Controller, to []string) (*source.List, error) {
	list := new(source.List)
	for i, word := range to {
		if word == source.Links {
			list.AddLinks()
			continue
		}
		s, notServer := server.Parse(word)
		if notServer == nil {
			list.AddServer(s)
			continue
		}
		if strings.Contains(word, "://") {
			return nil, c.Errf("%v", notServer)
		}
		const noZone = "unlike forward, dnsmus has no zone before the upstreams, and takes the names of its server block"
		if word == "." {
			return nil, c.Errf("'.' is not an upstream; leave it out: %s", noZone)
		}
		if addr, _, _ := strings.Cut(word, "/"); addr != word && isAddr(addr) {
			return nil, c.Errf("'%s' is a range of addresses; write the address of each upstream, as in %s", word, addr)
		}
		file := filename(c, word)
		info, err := os.Stat(file)
		switch {
		case errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(word, "/"+string(filepath.Separator)):
			hint := ""
			if _, ok := dns.IsDomainName(word); ok && word != "" && i == 0 && len(to) > 1 {
				hint = "; if it is a zone leave it out: " + noZone
			}
			return nil, c.Errf("'%s' is neither an address nor a file: %v%s", word, notServer, hint)
		case err == nil && info.IsDir():
			return nil, c.Errf("cannot read upstreams: %s is not a regular file but a directory; write the name of a file in it", file)
		}
		list.Add(source.File(file))
	}
	return list, nil
}

// asWritten is the word that names a server, or how it is written if none does.
func asWritten(s server.Server, words []string) string {
	for _, word := range words {
		if named, err := server.Parse(word); err == nil && named.Equal(s) {
			return server.Quote(word)
		}
	}
	return s.String()
}

func isAddr(s string) bool {
	_, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return err == nil
}

// leadsNowhere tells of zones that except leaves to a next plugin that is not there. It
// is an error if these are all zones of the server block, named by its keys.
func leadsNowhere(keys, except []string, next plugin.Handler) error {
	if next != nil || len(except) == 0 {
		return nil
	}
	const remedy = "add one that comes after dnsmus, such as 'forward . 192.0.2.1', or take except away"
	all := len(keys) > 0
	for _, key := range keys {
		_, zone, _, err := dnsserver.SplitProtocolHostPort(key)
		all = all && err == nil && plugin.Zones(except).Contains(dns.CanonicalName(zone))
	}
	if all {
		return fmt.Errorf("except leaves all names of the server block to the next plugin, and there is none; %s", remedy)
	}
	log.Warningf("Names in %s fail: except leaves them to the next plugin, and there is none; %s", strings.Join(except, " "), remedy)
	return nil
}

// upstreams returns the first upstreams. A file may be of no use yet, as
// that of a VPN that is not up, while others name some.
func upstreams(c *caddy.Controller, list *source.List, listeners handler.Listeners) ([]server.Server, error) {
	r := list.Read()
	for _, text := range r.Warnings {
		log.Warning(text)
	}
	servers := list.Servers()
	if len(servers) == 0 && !list.MayBeEmpty() {
		return nil, c.Errf("%v, or name upstreams: 'dnsmus 192.0.2.1', or 'dnsmus links' for all that the system knows, in a Corefile; 'dnsmus 5553 192.0.2.1' on the command line", r.Problems[0])
	}
	others, loops := listeners.Drop(servers)
	if len(others) == 0 && !list.MayBeEmpty() {
		return nil, c.Errf("the only upstream, %s, is this server block itself; name another resolver or bind another address", loops[0])
	}
	until := "; the other upstreams are asked until then"
	if len(others) == 0 {
		until = ""
	}
	for _, err := range r.Problems {
		log.Warningf("%v%s", err, until)
	}
	if len(others) == 0 {
		log.Warning(handler.NoneKnown)
	}
	for _, s := range loops {
		log.Warning(handler.LeftOut(s))
	}
	return others, nil
}

// listeners returns where the server block listens, which the plugin bind has
// settled by now.
func listeners(c *caddy.Controller) handler.Listeners {
	var l handler.Listeners
	for _, host := range dnsserver.GetConfig(c).ListenHosts {
		if addr, err := netip.ParseAddr(host); err == nil {
			l.Hosts = append(l.Hosts, addr)
		}
	}
	for _, key := range c.ServerBlockKeys {
		name, _, port, err := dnsserver.SplitProtocolHostPort(key)
		transport, known := server.ParseTransport(name) // by which upstreams can be asked
		if n, bad := strconv.ParseUint(port, 10, 16); err == nil && bad == nil && known {
			l.Ports = append(l.Ports, handler.Port{Transport: transport, Number: uint16(n)})
		}
	}
	return l
}

// filename resolves a relative name by the root plugin, as CoreDNS's plugins do.
func filename(c *caddy.Controller, name string) string {
	if root := dnsserver.GetConfig(c).Root; root != "" && !filepath.IsAbs(name) {
		return filepath.Join(root, name)
	}
	return name
}

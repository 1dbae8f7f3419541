package dnsmus

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/handler"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

// parseUpstreams reads the first line of a stanza: the plugin's name, and words that name
// upstreams.
func parseUpstreams(c *caddy.Controller) (to []string, list *source.List, err error) {
	c.Next() // the plugin's name
	if to = c.RemainingArgs(); len(to) == 0 {
		to = []string{source.DefaultFile()}
	}
	list, err = parseTo(c, to)
	return to, list, err
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
		file, err := parseFile(c, word, notServer, i == 0 && len(to) > 1)
		if err != nil {
			return nil, err
		}
		list.Add(source.File(file))
	}
	return list, nil
}

// parseFile reads a word that is no server as the name of a file. It may be a zone, as in a
// stanza of forward, if it is the first of several. A file with a path may come later.
func parseFile(c *caddy.Controller, word string, notServer error, first bool) (file string, err error) {
	const noZone = "unlike forward, dnsmus takes no zone before the upstreams; it serves the zones of its server block"
	addr, _, isPath := strings.Cut(word, "/")
	switch {
	case strings.Contains(word, "://"):
		return "", c.Errf("%v", notServer)
	case word == ".":
		return "", c.Errf("'.' is not an upstream; leave it out: %s", noZone)
	case isPath && isAddr(addr):
		return "", c.Errf("'%s' is a range of addresses; write the address of each upstream, as in %s", word, addr)
	}
	file = filename(c, word)
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !isPath && !strings.ContainsRune(word, filepath.Separator):
		hint := ""
		_, isDomain := dns.IsDomainName(word)
		if strings.Contains(word, ",") {
			hint = "; between addresses there is a space, and no comma"
		} else if _, isOption := option.Find(word); isOption {
			hint = fmt.Sprintf("; if it is the option, write it in a block: { on this line, %s on the next one, and } on one of its own", word)
		} else if near, ok := option.Nearest(word, []string{source.Links}); ok {
			hint = fmt.Sprintf("; for all resolvers that the system knows write '%s'", near)
		} else if isDomain && word != "" && first {
			hint = "; if it is a zone, leave it out: " + noZone
		}
		return "", c.Errf("%v; there is no file of that name either%s", notServer, hint)
	case err == nil && info.IsDir():
		return "", c.Errf("cannot read upstreams: %s is a directory; write the name of a file in it", file)
	}
	return file, nil
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

// upstreams returns the first upstreams. A file may name none yet, as that of
// a VPN that is not up, while others do.
func upstreams(c *caddy.Controller, list *source.List, listeners handler.Listeners) ([]server.Server, error) {
	r := list.Read()
	for _, text := range r.Warnings {
		log.Warning(text)
	}
	servers := list.Servers()
	if len(servers) == 0 && !list.MayBeEmpty() {
		return nil, c.Errf("%v, or name upstreams: in a Corefile 'dnsmus 192.0.2.1', or 'dnsmus links' for all resolvers that the system knows; on the command line 'dnsmus 5553 192.0.2.1'", r.Problems[0])
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

// passing are CoreDNS's plugins that pass each question on as it is, and the cache, which is told
// of in another way.
var passing = []string{"metadata", "geoip", "cancel", "nsid", "bufsize", "trace", "ready", "health", "prometheus", "errors", "log", "dnstap", "cache", "header", "loadbalance", "minimal", "tsig", "view", "loop"}

// place is where the controller's server block stands.
func place(c *caddy.Controller) (p handler.Place) {
	cfg := dnsserver.GetConfig(c)
	p.InFront = cfg.Handler("cache") != nil
	for _, h := range cfg.Handlers() { // in the order in which they are asked
		if h.Name() == handler.Name {
			break
		}
		if !slices.Contains(passing, h.Name()) {
			p.Before = append(p.Before, h.Name())
		}
	}
	for _, key := range c.ServerBlockKeys {
		transport, zone, port, err := dnsserver.SplitProtocolHostPort(key)
		if err != nil {
			continue
		}
		if zone = dns.CanonicalName(zone); !slices.Contains(p.Zones, zone) {
			p.Zones = append(p.Zones, zone)
		}
		hosts := cfg.ListenHosts
		if len(hosts) == 0 {
			hosts = []string{""}
		}
		for _, host := range hosts {
			at := net.JoinHostPort(host, port)
			if transport != "" && transport != "dns" {
				at = transport + "://" + at
			}
			if !slices.Contains(p.Listens, at) {
				p.Listens = append(p.Listens, at)
			}
		}
	}
	return p
}

// filename resolves a relative name by the root plugin, as CoreDNS's plugins do.
func filename(c *caddy.Controller, name string) string {
	if root := dnsserver.GetConfig(c).Root; root != "" && !filepath.IsAbs(name) {
		return filepath.Join(root, name)
	}
	return name
}

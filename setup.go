// Package dnsmus registers the CoreDNS plugin dnsmus, which sends every query to
// all upstream resolvers at once and replies with the first good answer. This
// file reads the stanza; README.md describes it.
package dnsmus

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	clog "github.com/coredns/coredns/plugin/pkg/log"
	"github.com/coredns/coredns/plugin/pkg/parse"
	"github.com/coredns/coredns/plugin/pkg/transport"

	"github.com/dnsmus/dnsmus/plugin/handler"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/resolvconf"
)

const (
	defaultFile          = "/etc/resolv.conf.dnsmus"
	defaultTimeout       = 4 * time.Second
	defaultPatience      = 2 * time.Second
	defaultNegativeTTL   = 5 * time.Second
	defaultMaxConcurrent = 10000
)

var log = clog.NewWithPlugin(handler.Name)

func init() { plugin.Register(handler.Name, setup) }

func setup(c *caddy.Controller) error {
	cfg, err := parseStanza(c)
	if err != nil {
		return plugin.Error(handler.Name, err)
	}
	h := handler.New(cfg)
	dnsserver.GetConfig(c).AddPlugin(func(next plugin.Handler) plugin.Handler {
		h.Next = next
		return h
	})
	c.OnShutdown(h.Stop)
	return nil
}

// parseStanza reads the one stanza of a server block.
func parseStanza(c *caddy.Controller) (handler.Config, error) {
	cfg := handler.Config{
		Rules:         race.Rules{Timeout: defaultTimeout},
		Patience:      defaultPatience,
		NegativeTTL:   defaultNegativeTTL,
		MaxConcurrent: defaultMaxConcurrent,
	}
	c.Next() // the plugin's name
	to := c.RemainingArgs()
	if len(to) == 0 {
		to = []string{defaultFile}
	}
	upstreams, err := readUpstreams(c, to)
	if err != nil {
		return cfg, err
	}
	if cfg.Upstreams, err = dropOwn(c, upstreams); err != nil {
		return cfg, err
	}

	seen := make(map[string]bool)
	for c.NextBlock() {
		name := c.Val()
		option, ok := options[name]
		if !ok {
			return cfg, c.Errf("unknown option '%s'; the options are %s", name, optionNames())
		}
		if seen[name] {
			return cfg, c.Errf("option '%s' is given twice", name)
		}
		seen[name] = true
		args := c.RemainingArgs()
		if c.NextArg() { // RemainingArgs stops before a brace
			return cfg, c.Errf("option '%s' has no block; take the '%s' away", name, c.Val())
		}
		if err := option.set(&cfg, args); err != nil {
			return cfg, c.Errf("%s: %v; write: %s", name, err, strings.TrimSpace(name+" "+option.usage))
		}
		if cfg.ForceTCP && cfg.PreferUDP {
			return cfg, c.Err("force_tcp and prefer_udp exclude each other; leave one of them out")
		}
	}
	if c.Next() {
		return cfg, c.Errf("'%s': %v; give all upstreams in one stanza", c.Val(), plugin.ErrOnce)
	}
	return cfg, nil
}

// readUpstreams turns the words after the plugin's name into addresses: each is
// an address or a resolv.conf.
func readUpstreams(c *caddy.Controller, to []string) ([]netip.AddrPort, error) {
	var all []netip.AddrPort
	add := func(addr netip.AddrPort) {
		if !slices.Contains(all, addr) {
			all = append(all, addr)
		}
	}
	for _, word := range to {
		trans, host := parse.Transport(word)
		if trans != transport.DNS || strings.Contains(host, "://") {
			return nil, c.Errf("'%s': only plain DNS is spoken to upstreams; write an address such as 192.0.2.1, 192.0.2.1:5353 or [2001:db8::1]:5353", word)
		}
		addr, notAddr := resolvconf.ParseServer(host)
		if notAddr == nil {
			add(addr)
			continue
		}
		servers, err := readFile(filename(c, host))
		switch {
		case errors.Is(err, fs.ErrNotExist) && !strings.Contains(host, "/"):
			return nil, c.Errf("'%s' is neither an address nor a file: %v", word, notAddr)
		case err != nil:
			return nil, c.Errf("%v", err)
		}
		for _, addr := range servers {
			add(addr)
		}
	}
	return all, nil
}

// dropOwn leaves out the addresses that this very server block listens on: it
// would ask itself. Another block of the same process is a fair upstream.
func dropOwn(c *caddy.Controller, upstreams []netip.AddrPort) ([]netip.AddrPort, error) {
	own := listeners(c)
	left := slices.DeleteFunc(slices.Clone(upstreams), func(addr netip.AddrPort) bool {
		loop := own.Include(addr, handler.LocalAddrs)
		if loop {
			log.Warningf("Upstream %s is left out: this server block itself listens there", addr)
		}
		return loop
	})
	if len(left) == 0 {
		return nil, c.Errf("the only upstream, %s, is this server block itself; name another resolver or bind another address", upstreams[0])
	}
	return left, nil
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
		trans, _, port, err := dnsserver.SplitProtocolHostPort(key)
		if n, bad := strconv.ParseUint(port, 10, 16); err == nil && bad == nil && trans == transport.DNS {
			l.Ports = append(l.Ports, uint16(n))
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

// readFile returns the nameservers of a resolv.conf. Having none is an error.
func readFile(name string) ([]netip.AddrPort, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read upstreams: %w; create it with lines such as 'nameserver 192.0.2.1'", err)
	}
	if !info.Mode().IsRegular() { // opening a pipe could wait for ever
		return nil, fmt.Errorf("cannot read upstreams: %s is not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read upstreams: %w", err)
	}
	defer f.Close()
	servers, warnings, err := resolvconf.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("cannot read upstreams from %s: %w", name, err)
	}
	for _, w := range warnings {
		log.Warningf("%s:%d: %s", name, w.Line, w.Text)
	}
	if len(servers) == 0 {
		detail := ""
		if len(warnings) > 0 {
			detail = fmt.Sprintf(" (line %d: %s)", warnings[0].Line, warnings[0].Text)
		}
		return nil, fmt.Errorf("%s has no usable nameserver line%s; add one such as 'nameserver 192.0.2.1'", name, detail)
	}
	return servers, nil
}

// option is a word in the stanza's block.
type option struct {
	usage string
	set   func(cfg *handler.Config, args []string) error
}

var errCount = errors.New("wrong number of arguments")

var options = map[string]option{
	"except": {"ZONE...", func(cfg *handler.Config, args []string) error {
		if len(args) == 0 {
			return errCount
		}
		for _, arg := range args {
			zones := plugin.Host(arg).NormalizeExact()
			if len(zones) == 0 {
				return fmt.Errorf("'%s' is not a zone", arg)
			}
			cfg.Except = append(cfg.Except, zones...)
		}
		return nil
	}},
	"good": {"answer|qtype", func(cfg *handler.Config, args []string) error {
		if len(args) != 1 {
			return errCount
		}
		switch args[0] {
		case "answer", "qtype":
			cfg.Rules.Policy.NeedType = args[0] == "qtype"
			return nil
		}
		return fmt.Errorf("'%s' is unknown", args[0])
	}},
	"bogus": {"CIDR...", func(cfg *handler.Config, args []string) error {
		if len(args) == 0 {
			return errCount
		}
		for _, arg := range args {
			prefix, err := parsePrefix(arg)
			if err != nil {
				return fmt.Errorf("'%s' is not an address range such as 192.0.2.0/24, 192.0.2.1 or 2001:db8::/32", arg)
			}
			cfg.Rules.Policy.Bogus = append(cfg.Rules.Policy.Bogus, prefix)
		}
		return nil
	}},
	"timeout": {"DURATION", func(cfg *handler.Config, args []string) error {
		return setDuration(&cfg.Rules.Timeout, args, minWait, maxWait)
	}},
	"patience": {"DURATION", func(cfg *handler.Config, args []string) error {
		return setDuration(&cfg.Patience, args, minWait, maxWait)
	}},
	"negative_ttl": {"DURATION", func(cfg *handler.Config, args []string) error {
		return setDuration(&cfg.NegativeTTL, args, 0, maxNegativeTTL)
	}},
	"max_concurrent": {"N", func(cfg *handler.Config, args []string) error {
		if len(args) != 1 {
			return errCount
		}
		n, err := strconv.ParseInt(args[0], 10, 32)
		if err != nil || n < 0 {
			return fmt.Errorf("'%s' is not a number of queries, or 0 for no limit", args[0])
		}
		cfg.MaxConcurrent = n
		return nil
	}},
	"force_tcp":  {"", func(cfg *handler.Config, args []string) error { return setFlag(&cfg.ForceTCP, args) }},
	"prefer_udp": {"", func(cfg *handler.Config, args []string) error { return setFlag(&cfg.PreferUDP, args) }},
}

func optionNames() string {
	names := make([]string, 0, len(options))
	for name := range options {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func setFlag(flag *bool, args []string) error {
	if len(args) != 0 {
		return errCount
	}
	*flag = true
	return nil
}

// Waits shorter than a packet's way or longer than any client's patience are
// mistakes, such as a wrong unit.
const (
	minWait        = 10 * time.Millisecond
	maxWait        = time.Minute
	maxNegativeTTL = 24 * time.Hour
)

func setDuration(d *time.Duration, args []string, least, most time.Duration) error {
	if len(args) != 1 {
		return errCount
	}
	v, err := time.ParseDuration(args[0])
	if err != nil {
		return fmt.Errorf("'%s' is not a duration such as 4s or 500ms", args[0])
	}
	if v < least || v > most {
		return fmt.Errorf("'%s' is not between %v and %v", args[0], least, most)
	}
	*d = v
	return nil
}

// parsePrefix reads an address range; an address alone is a range of one.
func parsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Unmap().Prefix(addr.Unmap().BitLen())
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return prefix, err
	}
	if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= 96 { // as the judge sees such addresses
		prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), nil
}

package dnsmus

import (
	"bytes"
	"slices"

	"github.com/coredns/caddy"
	"github.com/coredns/caddy/caddyfile"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"

	"github.com/dnsmus/dnsmus/plugin/handler"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

// Stanza is what a stanza of a Corefile says of upstreams.
type Stanza struct {
	Zones  []string // of its server block, in canonical form
	To     []string // its upstreams, as they may be shown
	List   *source.List
	Values option.Values
}

// Stanzas reads those of a Corefile, for commands that ask what its server asks. Other plugins
// are not looked at.
func Stanzas(file string, contents []byte) (all []Stanza, err error) {
	blocks, err := caddyfile.Parse(file, bytes.NewReader(contents), nil)
	if err != nil {
		return nil, err
	}
	for _, block := range blocks {
		tokens := block.Tokens[handler.Name]
		if len(tokens) == 0 {
			continue
		}
		c := caddy.NewTestController("dns", "") // as no server is made of it
		c.Dispenser = caddyfile.NewDispenserTokens(file, tokens)
		if root := block.Tokens["root"]; len(root) > 1 {
			dnsserver.GetConfig(c).Root = root[1].Text
		}
		s := Stanza{Values: option.Default()}
		if s.To, s.List, err = parseUpstreams(c); err != nil {
			return nil, err
		}
		for i, word := range s.To {
			if named, err := server.Parse(word); err == nil {
				s.To[i] = named.String() // without the path, which may identify an account
			}
		}
		if err := parseOptions(c, &s.Values, slices.Contains(s.To, source.Links)); err != nil {
			return nil, err
		}
		for _, key := range block.Keys {
			s.Zones = append(s.Zones, plugin.Host(key).NormalizeExact()...)
		}
		all = append(all, s)
	}
	return all, nil
}

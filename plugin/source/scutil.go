package source

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/dnsmus/dnsmus/plugin/server"
)

// scutilDNS reads what `scutil --dns` of macOS prints: blocks that begin with a line
// "resolver #1" and have lines "KEY : VALUE". All resolvers count: the default one,
// supplemental ones of a domain, and scoped ones of an interface, whatever their flags
// are, and also those that are not reachable at the moment. The interface stands in a line
// like "if_index : 12 (utun3)".
func scutilDNS(text string) (servers []server.Server, skipped []Skipped) {
	var block struct {
		words   []string // after nameserver
		port    uint16   // 0: none is given
		link    string
		domains []string
	}
	end := func() {
		for _, word := range block.words {
			s, err := scutilServer(word, block.port, block.link)
			if err != nil {
				skipped = append(skipped, Skipped{server.Quote(word), "not a valid address"})
				continue
			}
			s.Domains = block.domains
			servers = append(servers, s)
		}
		block.words, block.port, block.link, block.domains = nil, 0, "", nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "resolver #") || strings.HasPrefix(line, "DNS configuration") {
			end()
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		key, _, _ = strings.Cut(strings.TrimSpace(key), "[") // as in nameserver[0]
		value = strings.TrimSpace(value)
		switch key {
		case "nameserver":
			block.words = append(block.words, value)
		case "domain", "search domain":
			block.domains = union(block.domains, domains(value))
		case "port":
			if n, err := strconv.ParseUint(value, 10, 16); err == nil {
				block.port = uint16(n)
			}
		case "if_index":
			number, name, _ := strings.Cut(value, "(")
			if block.link = strings.TrimSuffix(name, ")"); block.link == "" {
				block.link = strings.TrimSpace(number)
			}
		}
	}
	end()
	return servers, skipped
}

// scutilServer is the server at an address, which may have a zone.
func scutilServer(word string, port uint16, link string) (server.Server, error) {
	addr, err := netip.ParseAddr(word)
	if err != nil {
		return server.Server{}, err
	}
	if port == 0 {
		port = server.DNS.Port()
	}
	s := server.Plain(netip.AddrPortFrom(addr.Unmap(), port))
	if s.Link == "" {
		s.Link = link
	}
	return s, nil
}

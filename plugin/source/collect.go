package source

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/server"
)

// collect makes a reading of the servers that some part of the system names. What
// leads back to this host, or nowhere, is left out: stubs on loopback ask others, and
// perhaps dnsmus itself.
func collect(servers []server.Server, skipped []Skipped, present interfaces) Reading {
	r := Reading{Skipped: skipped}
	for _, s := range servers {
		addr := s.Addr.Addr()
		linked := true
		if s.Link != "" && present != nil {
			s.Link, linked = present.name(s.Link)
		}
		why := ""
		switch {
		case addr.IsUnspecified() || addr.IsMulticast():
			why = "not a server's address"
		case addr.IsLoopback():
			why = "loopback"
		case addr.IsLinkLocalUnicast() && addr.Is6() && s.Link == "":
			why = "link-local without an interface"
		case !linked:
			why = "its interface is missing"
		default:
			// The name of an interface on Windows may have blanks in it.
			if _, err := server.Parse(s.String()); err != nil {
				s.Link = present.numberOf(s.Link)
			}
			if _, err := server.Parse(s.String()); err != nil {
				why = "not usable as a server"
			}
		}
		if why != "" {
			if out := (Skipped{s.String(), why}); !slices.Contains(r.Skipped, out) {
				r.Skipped = append(r.Skipped, out)
			}
			continue
		}
		if i := slices.IndexFunc(r.Servers, s.Equal); i >= 0 {
			r.Servers[i].Domains = union(r.Servers[i].Domains, s.Domains)
			continue
		}
		r.Servers = append(r.Servers, s)
	}
	var text strings.Builder
	for _, s := range r.Servers {
		fmt.Fprintln(&text, s, s.Domains)
	}
	for _, l := range r.Skipped {
		fmt.Fprintln(&text, l.What, l.Why)
	}
	r.Text = []byte(text.String())
	return r
}

// domains returns routing domains as [server.Server] has them. Those of systemd-resolved
// and NetworkManager may begin with "~", which says that they are not searched.
func domains(words ...string) (all []string) {
	for _, word := range words {
		word = strings.TrimPrefix(word, "~")
		if _, ok := dns.IsDomainName(word); !ok || word == "" {
			continue
		}
		all = union(all, []string{dns.CanonicalName(word)})
	}
	return all
}

// union is a with what of b is not in it. It leaves both as they are.
func union(a, b []string) []string {
	a = slices.Clip(a)
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

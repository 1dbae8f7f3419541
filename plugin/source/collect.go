package source

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// collect makes a reading of the servers that some part of the system names. It skips those
// that cannot be asked, and those on loopback: these ask other servers, and perhaps
// dnsmus itself. What is skipped may be anything, as the name of an interface is.
func collect(servers []server.Server, skipped []Skipped, present interfaces) (r Reading) {
	skip := func(s Skipped) {
		s = Skipped{printable.Text(s.What), printable.Text(s.Why)}
		if !slices.Contains(r.Skipped, s) {
			r.Skipped = append(r.Skipped, s)
		}
	}
	for _, s := range skipped {
		skip(s)
	}
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
			// The name of an interface may have spaces, as on Windows.
			if _, err := server.Parse(s.Written()); err != nil {
				s.Link = present.numberOf(s.Link)
			}
			if _, err := server.Parse(s.Written()); err != nil {
				why = "not usable as a server"
			}
		}
		if why != "" {
			skip(Skipped{s.String(), why})
			continue
		}
		if i := slices.IndexFunc(r.Servers, s.Equal); i >= 0 {
			one := &r.Servers[i]
			one.Domains, one.VPN = union(one.Domains, s.Domains), one.VPN || s.VPN
			continue
		}
		r.Servers = append(r.Servers, s)
	}
	var text strings.Builder
	for _, s := range r.Servers {
		fmt.Fprintln(&text, s.Written(), s.Domains, s.VPN)
	}
	for _, s := range r.Skipped {
		fmt.Fprintln(&text, s.What, s.Why)
	}
	r.Text = []byte(text.String())
	return r
}

// domains returns valid domains, of printable characters, as [server.Server] has them. Those of
// systemd-resolved and NetworkManager may begin with "~": they route queries, but are not
// searched.
func domains(words ...string) (all []string) {
	for _, word := range words {
		word = strings.TrimPrefix(word, "~")
		if _, ok := dns.IsDomainName(word); !ok || word == "" || printable.Text(word) != word {
			continue
		}
		all = union(all, []string{dns.CanonicalName(word)})
	}
	return all
}

// union returns a with those of b that are not in it. It changes neither.
func union(a, b []string) []string {
	a = slices.Clip(a)
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

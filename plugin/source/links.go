package source

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// Links is the word that stands for all resolvers that the system knows, each through
// the link by which the system reaches it.
const Links = "links"

// absent is the error of a source that the system does not have, or not now. Whoever
// wants to know all that the system knows needs none in particular.
type absent struct{ error }

func isAbsent(err error) bool { return errors.As(err, new(absent)) }

// Skipped is something that a source names and that nobody is to ask.
type Skipped struct {
	What string // the server, or the word that is none
	Why  string // in a few words, as "loopback"
}

// links are the network interfaces that there are: their names, by number.
type links map[int]string

// presentLinks returns those of this host. Where they cannot be listed there are none,
// and servers are asked without.
func presentLinks() links {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	all := make(links)
	for _, i := range interfaces {
		all[i.Index] = i.Name
	}
	return all
}

// watchLinks calls changed when a network interface has come, gone or got another name,
// until stop is called. The error says why changes are noticed late.
func watchLinks(changed func()) (stop func(), err error) {
	last := presentLinks()
	return link.Watch(func() {
		if now := presentLinks(); !maps.Equal(now, last) {
			last = now
			changed()
		}
	})
}

// name returns the name of the link that is known by its name or number.
func (l links) name(link string) (name string, present bool) {
	if n, err := strconv.Atoi(link); err == nil && l[n] != "" {
		return l[n], true
	}
	for _, name := range l {
		if name == link {
			return name, true
		}
	}
	return link, false
}

// named returns the number of the link of that name, or what it was given.
func (l links) named(name string) string {
	for n, other := range l {
		if other == name {
			return strconv.Itoa(n)
		}
	}
	return name
}

// number names the link of that number as servers do; 0 is none.
func (l links) number(n int) string {
	if n == 0 || l[n] != "" {
		return l[n]
	}
	return strconv.Itoa(n) // of one that is gone
}

// collect makes a reading of the servers that some part of the system names. What
// leads back to this host, or nowhere, is left out: stubs on loopback ask others, and
// perhaps dnsmus itself.
func collect(servers []server.Server, skipped []Skipped, present links) Reading {
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
			why = "no server's address"
		case addr.IsLoopback():
			why = "loopback"
		case addr.IsLinkLocalUnicast() && addr.Is6() && s.Link == "":
			why = "link-local, and does not say of which link"
		case !linked:
			why = "its link is gone"
		default:
			// The name of an interface on Windows may have blanks in it.
			if _, err := server.Parse(s.String()); err != nil {
				s.Link = present.named(s.Link)
			}
			if _, err := server.Parse(s.String()); err != nil {
				why = "it cannot be written as a server"
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

package explain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/source"
)

// Stanza is what a stanza of a Corefile says of upstreams.
type Stanza struct {
	Zones  []string // that are served by it, in canonical form
	To     []string // its upstreams, as they may be shown
	List   *source.List
	Values option.Values
}

// installed is the Corefile of the service on this system.
func installed() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("ProgramFiles"), "dnsmus", "Corefile")
	}
	return "/etc/dnsmus/Corefile"
}

// asked are the upstreams that a command without a server asks, and how.
type asked struct {
	list   *source.List
	values option.Values
	from   string // who they are, and who says so
}

// choose returns whom to ask for a name: those that are named, or those of the Corefile, or
// what the packages' Corefile names. Read is how a Corefile is read.
func (cfg *config) choose(name string, read func(file string, contents []byte) ([]Stanza, error)) (asked, error) {
	a := asked{list: cfg.list, values: option.Default(), from: "the upstreams named on the command line"}
	if !cfg.named {
		file := cfg.conf
		if file == "" {
			file = installed()
		}
		stanza, err := stanzaFor(name, file, read)
		switch {
		case err == nil:
			a = asked{stanza.List, stanza.Values, printable.And(stanza.To) + ", as in " + file}
		case cfg.conf == "" && errors.Is(err, fs.ErrNotExist):
			a.list, a.from = new(source.List), fmt.Sprintf("%s and %s, as there is no Corefile", source.Links, source.DefaultFile())
			a.list.AddLinks()
			a.list.Add(source.File(source.DefaultFile()))
		default:
			return a, err
		}
	}
	cfg.apply(&a.values)
	a.values.Cache, a.values.Learn = 0, 0 // nothing is known, and nothing is asked again
	return a, a.values.Check()
}

// stanzaFor returns the stanza of the server block that serves a name: as in CoreDNS the one
// with the longest zone.
func stanzaFor(name, file string, read func(string, []byte) ([]Stanza, error)) (found Stanza, err error) {
	contents, err := os.ReadFile(file)
	if err != nil {
		return found, err
	}
	all, err := read(file, contents)
	if err != nil {
		return found, err
	}
	longest := -1
	for _, s := range all {
		for _, zone := range s.Zones {
			if n := dns.CountLabel(zone); n > longest && dns.IsSubDomain(zone, name) {
				found, longest = s, n
			}
		}
	}
	if longest < 0 {
		return found, fmt.Errorf("no stanza of dnsmus in %s serves %s; name upstreams as @192.0.2.1", file, name)
	}
	return found, nil
}

// excepted is the zone of except that a name is in; empty: none.
func excepted(v *option.Values, name string) string {
	for _, zone := range v.Except {
		if dns.IsSubDomain(zone, strings.ToLower(name)) {
			return zone
		}
	}
	return ""
}

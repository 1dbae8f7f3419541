package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// How much of a search list is too much: each name that is looked for in it costs two questions a
// domain, one for each family of addresses.
const (
	maxSearch = 6 // which older C libraries cut the list at, too (resolv.conf(5))
	maxNdots  = 1
)

// searchList looks what short names cost, and whether they are found.
func searchList(ctx context.Context, m *machine) (f found, err error) {
	conf, err := m.resolvConf()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.saw("there is no " + resolvConfPath)
		return f, nil
	case err != nil:
		return f, err
	}
	search := strings.Join(conf.search, " ")
	if search == "" {
		f.saw("no search list")
	} else {
		f.saw(fmt.Sprintf("search %s; ndots:%d", search, conf.ndots))
	}
	if n := len(conf.search); n > maxSearch {
		f.add(fmt.Sprintf("The search list has %d domains: a name that none of them has costs %d questions, and C libraries before glibc 2.26 take %d.", n, 2*(n+1), maxSearch),
			"leave those in "+resolvConfPath+" in which short names are really used", "search "+search)
	}
	if n := len(conf.search); conf.ndots > maxNdots && n > 0 {
		f.add(fmt.Sprintf("With ndots:%d, names of up to %s are looked for in the search list first, which costs up to %d questions before the name itself is asked for.", conf.ndots, show.Count(conf.ndots, "label", "labels"), 2*n),
			fmt.Sprintf("sudo sed -i s/ndots:%d/ndots:1/ %s", conf.ndots, resolvConfPath), "search "+search, fmt.Sprintf("options ndots:%d", conf.ndots))
	}
	return f, m.shortNames(ctx, conf, &f)
}

// shortNames looks whether names of one label were asked for and found nowhere, though the system
// knows a domain in which they may be and no search list has it.
func (m *machine) shortNames(ctx context.Context, conf *resolvConf, f *found) error {
	domain, link := m.linkDomain()
	if len(conf.search) > 0 || domain == "" {
		return nil
	}
	var short []string
	err := m.server.Lines(ctx, api.History, url.Values{api.ParamFilter: {"denied"}}, func(line []byte) error {
		var r api.Remembered
		if err := client.Decode(line, &r); err != nil {
			return err
		}
		if name := strings.TrimSuffix(r.Race.Name, "."); !r.ZoneOnly && name != "" && !strings.Contains(name, ".") && !slices.Contains(short, name) {
			short = append(short, name)
		}
		return nil
	})
	if len(short) > 0 {
		f.add(fmt.Sprintf("There is no search list, and %s of one label could not be found.", show.Count(len(short), "name", "names")),
			fmt.Sprintf("echo search %s | sudo tee -a %s", domain, resolvConfPath), fmt.Sprintf("%s has the domain %s", link, domain))
	}
	return err
}

// linkDomain is a domain that the system says is an interface's; empty: the server knows none.
func (m *machine) linkDomain() (domain, link string) {
	if m.server == nil || m.state == nil {
		return "", ""
	}
	for _, s := range m.state.Servers {
		for _, u := range s.Upstreams {
			for _, d := range u.Domains {
				if d = strings.TrimSuffix(d, "."); d != "" && u.Link != nil {
					return d, *u.Link
				}
			}
		}
	}
	return "", ""
}

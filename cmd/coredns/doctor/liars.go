package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// liars looks for upstreams that answer names that do not exist, and for public ones that give
// private addresses.
func liars(ctx context.Context, m *machine) (f found, err error) {
	_, state, err := m.running()
	if err != nil {
		return f, err
	}
	zones, err := read[api.Zone](ctx, m, api.Zones)
	if err != nil {
		return f, err
	}
	for i := range state.Servers {
		s := &state.Servers[i]
		in, err := m.interview(ctx, s)
		if err != nil {
			return f, err
		}
		in.answered(&f)
		inside(&f, s, zones)
	}
	return f, nil
}

// answered notes who answers made-up names.
func (in *interview) answered(f *found) {
	type liar struct {
		name, data string
		evidence   []string
	}
	var liars []liar
	heard := 0
	if len(in.madeUp) == 0 {
		return
	}
	for i := range in.madeUp[0].Upstreams {
		l := liar{name: in.madeUp[0].Upstreams[i].Upstream}
		any := false
		for j := range in.madeUp {
			leg := legOf(&in.madeUp[j], l.name)
			if leg == nil || leg.Rcode == nil {
				continue
			}
			any = true
			if len(leg.Answer) > 0 && leg.Data != nil {
				l.data = *leg.Data
				l.evidence = append(l.evidence, fmt.Sprintf("%s, which does not exist, is %s", in.madeUp[j].Name, l.data))
			}
		}
		if any {
			heard++
		}
		if l.data != "" {
			liars = append(liars, l)
		}
	}
	f.saw(fmt.Sprintf("%s of %d answer names that do not exist", show.Count(len(liars), "upstream", "upstreams"), heard))
	same := len(liars) > 0 && !slices.ContainsFunc(liars, func(l liar) bool { return l.data != liars[0].data })
	if heard > 1 && len(liars) == heard && same {
		f.add("All upstreams answer all names alike, those too that do not exist: something in between answers for them, such as a captive portal.", "open a page in a browser whose address begins with http://, and log in", liars[0].evidence...)
		return
	}
	for _, l := range liars {
		f.add(fmt.Sprintf("%s answers names that do not exist, so it hides what others know.", l.name), "in the Corefile, in the block of dnsmus: bogus "+l.data, l.evidence...)
	}
}

// inside notes public upstreams that have given private addresses.
func inside(f *found, s *api.Server, zones []api.Zone) {
	of := make(map[string][]string)
	for _, z := range zones {
		for _, k := range z.KnownBy {
			if z.Server == s.Server && k.Private && public(k.Upstream) {
				of[k.Upstream] = append(of[k.Upstream], z.Zone)
			}
		}
	}
	for i := range s.Upstreams {
		if in := of[s.Upstreams[i].Upstream]; len(in) > 0 {
			f.add(fmt.Sprintf("%s is public, and has given private addresses: a web page could reach your network by such a name.", s.Upstreams[i].Upstream),
				"in the Corefile, in the block of dnsmus: private_from private", "in "+few(in))
		}
	}
}

// public reports whether an upstream has an address that is not private, or is known by its name.
func public(upstream string) bool {
	s, err := server.Parse(upstream)
	return err == nil && (s.Addr.Addr() == netip.Addr{} || !s.Addr.Addr().IsLoopback() && !race.PrivateAddress(s.Addr.Addr()))
}

// maxFew is how many words of a list are written.
const maxFew = 5

// few is a list, of which the rest is counted if it is long.
func few(words []string) string {
	if n := len(words) - maxFew; n > 1 {
		words = append(slices.Clone(words[:maxFew]), fmt.Sprintf("%d others", n))
	}
	return printable.And(words)
}

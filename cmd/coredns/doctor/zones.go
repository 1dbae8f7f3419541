package doctor

import (
	"context"
	"fmt"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

// read returns the objects of a reply of the server that has one a line, in the order in which
// they come.
func read[T any](ctx context.Context, m *machine, path string) (all []T, err error) {
	s, _, err := m.running()
	if err != nil {
		return nil, err
	}
	err = s.Lines(ctx, path, nil, func(line []byte) error {
		var one T
		if err := client.Decode(line, &one); err != nil {
			return err
		}
		all = append(all, one)
		return nil
	})
	return all, err
}

// zones looks for zones of which upstreams say different things, and for those of a company whose
// names others see.
func zones(ctx context.Context, m *machine) (f found, err error) {
	_, state, err := m.running()
	if err != nil {
		return f, err
	}
	all, err := read[api.Zone](ctx, m, api.Zones)
	if err != nil {
		return f, err
	}
	f.saw(show.Count(len(all), "zone", "zones") + " known")
	for i := range state.Servers {
		differing(&f, &state.Servers[i], all)
		shown(&f, &state.Servers[i], all)
	}
	return f, nil
}

// differing notes zones in which the first to answer decides what clients get.
func differing(f *found, s *api.Server, all []api.Zone) {
	for i := range all {
		z := &all[i]
		if z.Server != s.Server || len(z.Differ) == 0 {
			continue
		}
		line := fmt.Sprintf("%s: answers of %s differ", z.Zone, printable.And(z.Differ))
		if s.Prefer != "" {
			f.saw(line + "; prefer " + s.Prefer + " chooses")
			continue
		}
		f.add(fmt.Sprintf("Upstreams answer names in %s differently, and programs get what comes first.", z.Zone), "in the Corefile, in the block of dnsmus: prefer order", line)
	}
}

// shown notes zones that one upstream knows, while others are asked for their names, too.
func shown(f *found, s *api.Server, all []api.Zone) {
	type owned struct {
		zones, domains []string
		names          int
		more           bool
	}
	of, to := make(map[string]*owned), make(map[string]string)
	for i := range all {
		z := &all[i]
		if z.Server != s.Server || len(z.KnownBy) != 1 || len(z.Missed) == 0 {
			continue
		}
		k := z.KnownBy[0]
		o := of[k.Upstream]
		if o == nil {
			o = new(owned)
			of[k.Upstream] = o
		}
		o.zones = append(o.zones, z.Zone)
		o.names += k.Answers
		o.more = o.more || k.Answers >= manyAnswers
		for _, d := range z.System {
			if d.Upstream == k.Upstream {
				o.domains = append(o.domains, z.Zone)
				break
			}
		}
		to[k.Upstream] = printable.And(z.Missed)
	}
	for i := range s.Upstreams {
		name := s.Upstreams[i].Upstream
		o := of[name]
		if o == nil {
			continue
		}
		times := fmt.Sprint(o.names)
		if o.more {
			times = "at least " + times
		}
		line := fmt.Sprintf("%s alone has answered in %s, %s times; %s denied names there", name, few(o.zones), times, to[name])
		if s.Learns {
			f.saw(line + "; learn shows them few")
			continue
		}
		evidence := []string{line}
		if len(o.domains) > 0 {
			evidence = append(evidence, "private_links would show them none in "+few(o.domains)+", which the system says are its interface's")
		}
		f.add(fmt.Sprintf("Names in %s, which %s alone knows, are shown to all upstreams.", few(o.zones), name),
			fmt.Sprintf("in the Corefile, in the block of dnsmus: learn; it would have kept nearly all of %s queries from the others", times), evidence...)
	}
}

// manyAnswers is what the server counts to.
const manyAnswers = 255

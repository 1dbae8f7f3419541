package control

import (
	"bufio"
	"cmp"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/history"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

func (s *Socket) zones(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	below, err := parseName(q.Get(api.ParamZone))
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	blocks := s.meant(w, q.Get(api.ParamServer))
	if blocks == nil {
		return
	}
	now := time.Now()
	var all []*api.Zone
	for _, b := range blocks {
		b.Pool.Zones(now, func(z pool.Zone) bool {
			if len(below) == 0 || wire.Below([]byte(z.Name), below) {
				all = append(all, b.zone(&z))
			}
			return true
		})
	}
	slices.SortFunc(all, func(a, b *api.Zone) int {
		return cmp.Or(b.Last.Compare(a.Last), strings.Compare(a.Zone, b.Zone), strings.Compare(a.Server, b.Server))
	})
	lines(w)
	out := bufio.NewWriter(w)
	defer out.Flush()
	for _, z := range all {
		b := s.use(z.Server)
		if len(b) > 0 {
			b[0].complete(z)
		}
		if write(out, z) != nil {
			return
		}
	}
}

// zone is what is known of a zone, as far as the table has it.
func (b *Block) zone(z *pool.Zone) *api.Zone {
	line := &api.Zone{
		Server: b.Name, Zone: history.Presentation([]byte(z.Name)), Last: z.Last.UTC(),
		KnownBy: []api.Knower{}, Missed: []string{}, Differ: []string{}, System: []api.Domain{},
	}
	if z.Lead >= 0 {
		leader := z.Members[z.Lead].String()
		line.Leader = &leader
	}
	for _, k := range z.By {
		name := z.Members[k.By].String()
		if z.Differ.Has(k.By) {
			line.Differ = append(line.Differ, name)
		}
		if k.Answers == 0 {
			line.Missed = append(line.Missed, name)
			continue
		}
		line.KnownBy = append(line.KnownBy, api.Knower{
			Upstream: name, Answers: k.Answers, Last: k.Last.UTC(), Lately: k.Lately, Private: z.Private.Has(k.By), Knows: k.Knows,
		})
	}
	sort.SliceStable(line.KnownBy, func(i, j int) bool { return line.KnownBy[i].Answers > line.KnownBy[j].Answers })
	return line
}

// complete adds what upstreams and the system say of a zone. The table is not locked any more.
func (b *Block) complete(line *api.Zone) {
	lately, down, failing := 0, 0, 0
	for _, m := range b.Pool.Members() {
		isUp := m.Up(nil)
		for i := range line.KnownBy {
			if k := &line.KnownBy[i]; k.Upstream == m.String() {
				k.Down, k.Failing = !isUp, isUp && !b.Failing(m).IsZero()
				if k.Lately && k.Down {
					down++
				}
				if k.Lately && k.Failing {
					failing++
				}
			}
		}
		for _, domain := range m.Server.Domains {
			if domain != "." && (line.Zone == domain || strings.HasSuffix(line.Zone, "."+domain)) {
				line.System = append(line.System, api.Domain{Domain: domain, Link: m.Server.Link, Upstream: m.String()})
			}
		}
	}
	declares := false
	for _, k := range line.KnownBy {
		if k.Lately {
			lately++
		}
		declares = declares || slices.ContainsFunc(line.System, func(d api.Domain) bool { return d.Upstream == k.Upstream })
	}
	var says []string
	if len(line.Differ) > 0 {
		says = append(says, "answers differ")
	}
	switch {
	case lately == 0 || down+failing < lately:
	case lately == 1 && down == 1:
		says = append(says, "who knows it is down")
	case lately == 1:
		says = append(says, "who knows it fails")
	case failing == 0:
		says = append(says, "all who know it are down")
	default:
		says = append(says, "all who know it are down or fail")
	}
	if len(line.System) > 0 && !declares && lately > 0 {
		says = append(says, "the system says that it is another upstream's")
	}
	line.Note = strings.Join(says, "; ")
}

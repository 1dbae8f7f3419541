package control

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/plugin/history"
	"github.com/dnsmus/dnsmus/plugin/pool"
)

// soleZone is a zone that one upstream alone has answered in lately.
type soleZone struct {
	name    string
	answers int
}

// known are such zones of all upstreams, those with the most answers first.
func (b *Block) known(now time.Time) map[*pool.Member][]*soleZone {
	known := make(map[*pool.Member][]*soleZone)
	b.Pool.Zones(now, func(z pool.Zone) bool {
		at, n := -1, 0
		for i, k := range z.By {
			if k.Lately {
				at, n = i, n+1
			}
		}
		if n == 1 && len(z.Name) > 1 {
			m := z.Members[z.By[at].By]
			known[m] = append(known[m], &soleZone{history.Presentation([]byte(z.Name)), z.By[at].Answers})
		}
		return true
	})
	for _, zones := range known {
		slices.SortFunc(zones, func(a, b *soleZone) int {
			return cmp.Or(b.answers-a.answers, strings.Compare(a.name, b.name))
		})
	}
	return known
}

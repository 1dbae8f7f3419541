package outcome

import (
	"slices"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/knowledge"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// differing lists upstreams whose good answers have no address in common with that of
// another (R17), in order.
func (o *outcome) differing() (list []int) {
	packed := make(map[int][]byte)
	for i, res := range o.results {
		if res.verdict != race.Good || res.msg == nil || res.alias {
			continue
		}
		if b, err := res.msg.Copy().Pack(); err == nil {
			packed[i] = b
		}
	}
	for i := range o.results {
		for j := range o.results {
			if packed[i] != nil && packed[j] != nil && knowledge.Compare(packed[i], packed[j]) >= knowledge.Apart {
				list = append(list, i)
				break
			}
		}
	}
	return list
}

// preferred is whose of some good answers a preference takes: that of the first listed
// upstream, or of the first with private addresses, if one has them.
func (o *outcome) preferred(among []int, by option.Preference) int {
	if by == option.Private {
		if i := slices.IndexFunc(among, func(i int) bool { return private(o.results[i].msg) }); i >= 0 {
			return among[i]
		}
	}
	return among[0]
}

func private(m *dns.Msg) bool {
	b, err := m.Copy().Pack()
	if err != nil {
		return false
	}
	private, _ := race.Privacy(b)
	return private
}

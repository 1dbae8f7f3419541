package outcome

import (
	"slices"

	"github.com/dnsmus/dnsmus/plugin/knowledge"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// differing lists upstreams whose good answers have no address in common with that of
// another (R17), in order.
func (o *outcome) differing() (list []int) {
	for i := range o.results {
		for j := range o.results {
			if o.results[i].differs(&o.results[j]) {
				list = append(list, i)
				break
			}
		}
	}
	return list
}

// differs reports whether both replies are good answers, and these differ.
func (res *result) differs(other *result) bool {
	return res != other && res.answers() && other.answers() && knowledge.Compare(res.raw, other.raw) >= knowledge.Apart
}

// answers reports whether the reply is itself a good answer, not an alias of one.
func (res *result) answers() bool { return res.verdict == race.Good && res.msg != nil && !res.alias }

// preferred is whose of some good answers a preference takes: that of the first listed
// upstream, or of the first with private addresses, if one has them.
func (o *outcome) preferred(among []int, by option.Preference) int {
	if by == option.Private {
		if i := slices.IndexFunc(among, func(i int) bool { return o.results[i].private() }); i >= 0 {
			return among[i]
		}
	}
	return among[0]
}

func (res *result) private() bool {
	private, _ := race.Privacy(res.raw)
	return private
}

package pool

import (
	"slices"
	"sync/atomic"

	"github.com/dnsmus/dnsmus/plugin/knowledge"
)

// set is a list of upstreams in use, and what was learned from them. Other upstreams may
// answer otherwise, so another set learns anew.
type set struct {
	cfg       *Config
	members   []*Member
	names     knowledge.Names     // upstreams are numbered as in members
	zones     *knowledge.Zones    // nil: nothing is learned about them
	latencies []knowledge.Latency // by member; likewise

	domains [][]string    // of the members' interfaces
	private domains[*set] // which upstreams alone are asked for names in a domain (R21)
	parts   []*set        // the values of private
	part    bool          // it is one of these

	used        atomic.Bool // it was asked something
	deniesTypes atomic.Bool // a name that exists was denied for a type
}

// newSet returns a set that has learned nothing yet. It knows the domains of the upstreams'
// interfaces.
func newSet(cfg *Config, members []*Member, domainsOf [][]string) *set {
	s := &set{cfg: cfg, members: members, domains: domainsOf}
	if cfg.Keeps() {
		s.zones = knowledge.NewZones(len(members), cfg.Age())
		s.latencies = make([]knowledge.Latency, len(members))
	}
	if cfg.PrivateLinks {
		s.split(byDomain(domainsOf))
	}
	return s
}

// split makes a set of the upstreams of each domain, which alone are asked for names in it
// and learn by themselves (R21).
func (s *set) split(of domains[[]int]) {
	s.private = make(domains[*set], len(of))
	for domain, some := range of {
		at := slices.IndexFunc(s.parts, func(p *set) bool {
			return slices.EqualFunc(some, p.members, func(i int, m *Member) bool { return s.members[i] == m })
		})
		if at < 0 {
			var members []*Member
			for _, i := range some {
				members = append(members, s.members[i])
			}
			at = len(s.parts)
			part := newSet(s.cfg, members, nil)
			part.part = true
			s.parts = append(s.parts, part)
		}
		s.private[domain] = s.parts[at]
	}
}

// route returns the set to ask a question, which is as in [wire.Question].
func (s *set) route(question []byte) *set {
	if part, ok := s.private.find(question); ok {
		return part
	}
	return s
}

// allZones is what the set and its parts have learned about zones.
func (s *set) allZones() (all []*knowledge.Zones) {
	for _, part := range append([]*set{s}, s.parts...) {
		if part.zones != nil {
			all = append(all, part.zones)
		}
	}
	return all
}

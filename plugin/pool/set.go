package pool

import (
	"slices"

	"github.com/dnsmus/dnsmus/plugin/knowledge"
)

// set is the upstreams in use for a while, and what they have taught: that goes with
// them, for others may say otherwise.
type set struct {
	cfg       *Config
	members   []*Member
	names     knowledge.Names     // upstreams are numbered as in members
	zones     *knowledge.Zones    // nil: nothing is learned about them
	latencies []knowledge.Latency // by member; likewise

	domains [][]string             // of the members' links
	private domains[*set]          // who alone are asked for names in a domain
	parts   []*set                 // these
	hints   domains[knowledge.Set] // who may know the names in a domain
}

// newSet returns a set of upstreams, of which nothing is known yet but the domains of
// their links.
func newSet(cfg *Config, members []*Member, domainsOf [][]string) *set {
	s := &set{cfg: cfg, members: members, domains: domainsOf}
	if cfg.Learns() {
		s.zones = knowledge.NewZones(len(members), cfg.Age())
		s.latencies = make([]knowledge.Latency, len(members))
	}
	if of := byDomain(domainsOf); cfg.PrivateLinks {
		s.split(of)
	} else {
		s.hint(of)
	}
	return s
}

// hint notes who may know the names in a domain (R21), until more is known of them.
func (s *set) hint(of domains[[]int]) {
	delete(of, "\x00") // it says what to do with names of which nothing is known
	s.hints = make(domains[knowledge.Set], len(of))
	for domain, some := range of {
		for _, i := range some {
			if i < knowledge.MaxUpstreams {
				s.hints[domain] |= knowledge.Only(i)
			}
		}
	}
}

// split makes sets of the upstreams that alone are asked for names in their domains, each
// with knowledge of its own (R21).
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
			s.parts = append(s.parts, newSet(s.cfg, members, nil))
		}
		s.private[domain] = s.parts[at]
	}
}

// route returns the upstreams to ask a question, which is as in [wire.Question].
func (s *set) route(question []byte) *set {
	if part, ok := s.private.find(question); ok {
		return part
	}
	return s
}

// allZones is what is learned about zones, by upstreams that are asked together.
func (s *set) allZones() (all []*knowledge.Zones) {
	for _, part := range append([]*set{s}, s.parts...) {
		if part.zones != nil {
			all = append(all, part.zones)
		}
	}
	return all
}

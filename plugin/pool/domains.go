package pool

import (
	"slices"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/knowledge"
)

// domains are values by domain, whose name is in lower case as on the wire.
type domains[T any] map[string]T

// find returns the value of the longest of the domains that the name of a question is in,
// as in [wire.Question], or else the zero value.
func (d domains[T]) find(question []byte) (v T, found bool) {
	if len(d) == 0 {
		return v, false
	}
	var buf [255]byte
	name := buf[:0]
	for i := 0; i < len(question) && len(name) < len(buf); i++ {
		b := question[i]
		if 'A' <= b && b <= 'Z' { // no length is so great
			b += 'a' - 'A'
		}
		name = append(name, b)
	}
	for len(name) > 0 {
		end := 0 // of what is left of the name
		for end < len(name) && name[end] != 0 {
			end += 1 + int(name[end])
		}
		if end >= len(name) {
			break
		}
		if v, found = d[string(name[:end+1])]; found || name[0] == 0 {
			return v, found
		}
		name = name[1+int(name[0]):]
	}
	return v, false
}

// byDomain returns which upstreams have which domain, by the domains of each.
func byDomain(domainsOf [][]string) domains[[]int] {
	d := make(domains[[]int])
	for i, all := range domainsOf {
		for _, domain := range all {
			name := make([]byte, 255)
			n, err := dns.PackDomainName(dns.CanonicalName(domain), name, 0, nil, false)
			if err != nil {
				continue
			}
			key := string(name[:n])
			if !slices.Contains(d[key], i) {
				d[key] = append(d[key], i)
			}
		}
	}
	return d
}

// route splits off the upstreams that alone are asked for names in their domains, each
// with knowledge of its own (R21), or notes whose these are, for a first guess.
func (s *set) route() {
	of := byDomain(s.domains)
	if !s.pool.cfg.PrivateLinks {
		delete(of, "\x00") // it says what to do with names of which nothing is known
		s.guesses = make(domains[knowledge.Set], len(of))
		for domain, some := range of {
			for _, i := range some {
				if i < knowledge.MaxUpstreams {
					s.guesses[domain] |= knowledge.Only(i)
				}
			}
		}
		return
	}
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
			s.parts = append(s.parts, s.pool.newKnowledge(members))
		}
		s.private[domain] = s.parts[at]
	}
}

// whom returns the upstreams to ask a question, which is as in [wire.Question].
func (s *set) whom(question []byte) *set {
	if part, ok := s.private.find(question); ok {
		return part
	}
	return s
}

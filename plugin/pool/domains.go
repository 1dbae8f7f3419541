package pool

import (
	"slices"

	"github.com/miekg/dns"
)

// domains are values by domain, which is in lower case and wire format.
type domains[T any] map[string]T

// find returns the value of the longest domain that the name of a question is in, which is
// as in [wire.Question], or the zero value.
func (d domains[T]) find(question []byte) (v T, found bool) {
	if len(d) == 0 {
		return v, false
	}
	var buf [255]byte
	name := buf[:0]
	for i := 0; i < len(question) && len(name) < len(buf); i++ {
		b := question[i]
		if 'A' <= b && b <= 'Z' { // the length of a label is less
			b += 'a' - 'A'
		}
		name = append(name, b)
	}
	for len(name) > 0 {
		end := 0 // of the rest of the name
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

// byDomain returns the upstreams of each domain, from the domains of each upstream.
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

package pool

import (
	"slices"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Forgotten is how much was forgotten.
type Forgotten struct {
	Replies int // that were kept
	Names   int // that were known to exist
	Zones   int // that something was known of
}

// Forget forgets what is known of a name alone, or of a zone and all names in it, or of all if the
// name is that of the root. Names are in wire format and lower case.
func (p *Pool) Forget(name []byte, below bool) (f Forgotten) {
	is := func(other []byte) bool { return below && wire.Below(other, name) || slices.Equal(other, name) }
	s := p.set.Load()
	for _, part := range append([]*set{s}, s.parts...) {
		f.Names += part.names.Forget(is)
		if part.zones != nil && below {
			f.Zones += part.zones.Forget(is)
		}
	}
	if p.cache != nil {
		f.Replies = p.cache.Forget(is)
	}
	return f
}

// ForgetOf forgets what an upstream in use has shown; a reply that is in part of another goes, too.
func (p *Pool) ForgetOf(m *Member) (f Forgotten) {
	s := p.set.Load()
	for _, part := range append([]*set{s}, s.parts...) {
		i := slices.Index(part.members, m)
		if i < 0 {
			continue
		}
		f.Names += part.names.ForgetOf(i)
		if part.zones != nil {
			f.Zones += part.zones.ForgetOf(i)
		}
	}
	if p.cache != nil {
		f.Replies = p.cache.ForgetOf(m)
	}
	return f
}

package knowledge

import (
	"time"

	"github.com/miekg/dns"
)

// known is a name, in lower case as on the wire, and what proves that it exists.
type known struct {
	proofs  [2]proof   // of two types, so that one is of another type than any that is asked for
	view    proof      // whose answer a client was given
	denials [3]denials // of the name, and of two types
	size    uint8
	name    [255]byte // RFC 1035, section 2.3.4
}

// proof is that a name was found by an upstream, when asked for a type. The zero proof
// is none.
type proof struct {
	ends  instant
	by    int32
	qtype uint16
}

func (p *proof) alive(now instant) bool { return now.before(p.ends) }

// add takes a proof: in place of one of its type, if there is that, else of the one
// that ends first. One that ends later stays, unless the same upstream has come to say
// something else.
func (k *known) add(p proof, now instant) {
	first := &k.proofs[0]
	for i := range k.proofs {
		old := &k.proofs[i]
		if old.qtype == p.qtype && old.alive(now) {
			if old.by == p.by || old.ends.ran < p.ends.ran {
				*old = p
			}
			return
		}
		if old.ends.ran < first.ends.ran {
			first = old
		}
	}
	if !first.alive(now) || first.ends.ran < p.ends.ran {
		*first = p
	}
}

// ends is when the last proof does.
func (k *known) ends() time.Duration { return max(k.proofs[0].ends.ran, k.proofs[1].ends.ran) }

// denials are who has denied a name, or that it has records of a type, from when the
// first of them did until one of them may have changed its mind.
type denials struct {
	begun, ends instant
	by          Set
	qtype       uint16 // dns.TypeNone: the name
}

// add adds one, which ends then.
func (d *denials) add(by int, qtype uint16, now, ends instant) {
	if d.qtype != qtype || !now.before(d.ends) {
		*d = denials{begun: now, ends: ends, qtype: qtype}
	}
	d.by |= Only(by)
	if ends.ran < d.ends.ran {
		d.ends = ends
	}
}

// denialsOf is the place for denials of a type: that of the same type, or of the one that
// ends first. The first place is the name's.
func (k *known) denialsOf(qtype uint16) *denials {
	if qtype == dns.TypeNone {
		return &k.denials[0]
	}
	first := &k.denials[1]
	for i := range k.denials[1:] {
		d := &k.denials[1+i]
		if d.qtype == qtype {
			return d
		}
		if d.ends.wall < first.ends.wall {
			first = d
		}
	}
	return first
}

// found takes back what an upstream has denied that finds the name now, with records of
// a type or without.
func (k *known) found(by int, qtype uint16) {
	for i := range k.denials {
		if d := &k.denials[i]; i == 0 || d.qtype == qtype {
			d.by &^= Only(by)
		}
	}
}

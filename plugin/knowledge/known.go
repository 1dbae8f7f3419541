package knowledge

import (
	"time"

	"github.com/miekg/dns"
)

// known is a name, in lower case and wire format, and what is known about it.
type known struct {
	proofs  [2]proof   // for two types, so that one is for another type than the one asked for
	view    proof      // the answer that a client was given
	denials [3]denials // of the name, and of two types
	owners  Set        // upstreams that have answered the name, and not denied it since though another one has it
	first   sample     // of the answer of the first of these
	name    string
}

// sample is what is remembered of an upstream's answer: hashes of up to two networks of its
// addresses.
type sample struct {
	networks [2]uint32
	by       int32
}

// proof is a reply of an upstream for a type, which shows that the name exists. The zero
// proof shows nothing.
type proof struct {
	ends   instant
	all    Set // upstreams that gave such an answer while it lived
	by     int32
	qtype  uint16
	answer bool // with a record of that type
}

func (p *proof) alive(now instant) bool { return now.before(p.ends) }

// yields reports whether the place of p is to be taken before that of q: p ends first, and
// is no living answer beside NODATA.
func (p *proof) yields(q *proof, now instant) bool {
	if a, b := p.answer && p.alive(now), q.answer && q.alive(now); a != b {
		return b
	}
	return p.ends.ran < q.ends.ran
}

// add adds a proof. It replaces the one for the same type, or else the one that ends first,
// but NODATA never replaces a living answer. A proof that ends later stays, unless it is of
// the same upstream and type.
func (k *known) add(p *proof, now instant) {
	first := &k.proofs[0]
	for i := range k.proofs {
		old := &k.proofs[i]
		if old.qtype == p.qtype && old.alive(now) {
			all := old.all | p.all
			if !p.answer {
				all &^= Only(int(p.by))
			}
			if old.by == p.by || old.ends.ran < p.ends.ran {
				*old = *p
			}
			old.all = all
			return
		}
		if old.yields(first, now) {
			first = old
		}
	}
	if !first.alive(now) || first.yields(p, now) {
		*first = *p
	}
}

// denied removes what an upstream has shown, for it denies the name or what the name is an
// alias of. Its answers for other types stay, and the type of one that is alive is returned;
// 0: there is none.
func (k *known) denied(by int, qtype uint16, isAlias bool, now instant) (doubtful uint16) {
	for i := range k.proofs {
		p := &k.proofs[i]
		gave := p.by == int32(by) || p.all.Has(by)
		p.all &^= Only(by)
		switch {
		case p.answer && p.qtype != qtype:
			if gave && p.alive(now) {
				doubtful = p.qtype
			}
		case p.by == int32(by) && (p.answer || !isAlias):
			*p = proof{}
		}
	}
	if k.view.by == int32(by) && !isAlias {
		k.view = proof{}
	}
	return doubtful
}

// ends is when the last proof ends.
func (k *known) ends() time.Duration { return max(k.proofs[0].ends.ran, k.proofs[1].ends.ran) }

// denials are the upstreams that have denied a name, or a type of it, from the first denial
// until the first of them ends.
type denials struct {
	begun, ends instant
	by          Set
	qtype       uint16 // dns.TypeNone: the name
}

// add adds a denial.
func (d *denials) add(by int, qtype uint16, now, ends instant) {
	if d.qtype != qtype || !now.before(d.ends) {
		*d = denials{begun: now, ends: ends, qtype: qtype}
	}
	d.by |= Only(by)
	if ends.ran < d.ends.ran {
		d.ends = ends
	}
}

// denialsOf is the place for denials of a type, which may still hold another type, the one
// that ends first. The first place is for denials of the name.
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

// found removes the denials of an upstream that now has the name, for that type.
func (k *known) found(by int, qtype uint16) {
	for i := range k.denials {
		if d := &k.denials[i]; i == 0 || d.qtype == qtype {
			d.by &^= Only(by)
		}
	}
}

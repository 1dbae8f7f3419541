package race

import (
	"slices"
	"time"
)

// Bounds of the hedge, and its value for an upstream that was not timed yet.
const (
	minHedge   = 10 * time.Millisecond
	maxHedge   = 200 * time.Millisecond
	firstHedge = 50 * time.Millisecond
)

// Plan says whom a race asks when. The zero Plan asks everybody at once (R1).
type Plan struct {
	First int           // the leg to be asked first
	With  uint64        // others that are asked at once, by bit
	Hedge time.Duration // the rest is asked after that time, or as soon as the first has no good answer
	Alone bool          // the first is asked at once, and most others later (R16)
	Final bool          // NODATA with SOA of the first ends the race, because all others have denied the name lately
}

// atOnce reports whether a leg is asked when the race begins.
func (p *Plan) atOnce(leg int) bool { return !p.Alone || leg == p.First || p.With>>leg&1 != 0 }

// Basis is what is known when a race is planned.
type Basis struct {
	Surveyed   bool // everybody was asked in this zone not long ago
	Lead       int  // the leg whose upstream leads it, or -1
	LeadAlone  bool // and which knows names that other knowers do not
	InOrder    bool // of several knowers the first in the list is asked, and with it all before it
	Candidates []Candidate
}

// Candidate is what is known of the upstream of a leg.
type Candidate struct {
	Up     bool          // it is not down, and not unresponsive for the type
	Knows  bool          // it is a knower of the zone
	View   bool          // its answers are preferred to all others'
	Owner  bool          // it has answered this very name
	Denied bool          // it has lately denied this very name
	Median time.Duration // of the time that its good replies take; 0: none was timed
	P95    time.Duration // likewise
}

// Plan says whom to ask first: one knower, if one is up. With it are asked those whose answers
// are preferred to its, and if it never had the name, those that had it: what one alone has
// answered says nothing of a zone that another knows.
func (b Basis) Plan() Plan {
	if !b.Surveyed {
		return Plan{}
	}
	first := b.first()
	if first < 0 {
		return Plan{}
	}
	p := Plan{Alone: true, First: first, Hedge: firstHedge, Final: true}
	f := &b.Candidates[first]
	late := f.P95
	if first == b.Lead && b.LeadAlone { // others would deny the name, and need not see it
		late *= 4
	}
	if late != 0 {
		p.Hedge = min(max(late, minHedge), maxHedge)
	}
	for i := range b.Candidates {
		if i == first {
			continue
		}
		c := &b.Candidates[i]
		p.Final = p.Final && c.Denied
		if c.Up && !c.Denied && (c.View && !f.View || c.Owner && !f.Owner || b.InOrder && i < first) {
			p.With |= 1 << i
		}
	}
	return p
}

// first is the leg to ask first, or -1 if no knower is up.
func (b Basis) first() int {
	var buf, views [16]int
	able, preferred := buf[:0], views[:0]
	all := true
	for i, c := range b.Candidates {
		if !c.Knows || !c.Up {
			all = all && c.Knows
			continue
		}
		able = append(able, i)
		if c.View {
			preferred = append(preferred, i)
		}
	}
	if len(preferred) > 0 {
		able, all = preferred, false
	}
	leads := slices.Contains(able, b.Lead)
	switch {
	case len(able) == 0:
		return -1
	case b.InOrder:
		return able[0]
	case leads && (!all || b.LeadAlone):
		return b.Lead
	}
	fastest := able[0]
	for _, i := range able {
		if b.Candidates[i].Median < b.Candidates[fastest].Median {
			fastest = i
		}
	}
	if leads && b.Candidates[b.Lead].Median <= 2*b.Candidates[fastest].Median {
		return b.Lead // a small gain is not worth other answers
	}
	return fastest
}

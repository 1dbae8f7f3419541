package race

import "time"

// Bounds of the hedge, and its value for an upstream that was not timed yet.
const (
	minHedge   = 10 * time.Millisecond
	maxHedge   = 200 * time.Millisecond
	firstHedge = 50 * time.Millisecond
)

// Plan says whom a race asks when. The zero Plan asks everybody at once (R1).
type Plan struct {
	Alone bool          // one leg is asked at once, the others later (R16)
	First int           // that one
	Hedge time.Duration // the others are asked after that time, or as soon as the first has no good answer
	Final bool          // NODATA with SOA of the first ends the race, because all others have denied the name lately
}

// Basis is what is known when a race is planned.
type Basis struct {
	Surveyed   bool // everybody was asked in this zone not long ago
	Lead       int  // the leg whose upstream was first to answer in it, or -1
	InOrder    bool // of several knowers the first in the list is asked
	Candidates []Candidate
}

// Candidate is what is known of the upstream of a leg.
type Candidate struct {
	Up     bool          // it is not down, and not unresponsive for the type
	Knows  bool          // it is a knower of the zone
	View   bool          // its answers are preferred to all others'
	Denied bool          // it has lately denied this very name
	Median time.Duration // of the time that its good replies take; 0: none was timed
	P95    time.Duration // likewise
}

// Plan says whom to ask first: one knower alone, if one is up.
func (b Basis) Plan() Plan {
	if !b.Surveyed {
		return Plan{}
	}
	first := b.first()
	if first < 0 {
		return Plan{}
	}
	p := Plan{Alone: true, First: first, Hedge: firstHedge, Final: true}
	if late := b.Candidates[first].P95; late != 0 {
		p.Hedge = min(max(late, minHedge), maxHedge)
	}
	for i := range b.Candidates {
		p.Final = p.Final && (i == first || b.Candidates[i].Denied)
	}
	return p
}

// first is the leg to ask first, or -1 if no knower is up.
func (b Basis) first() int {
	var able []int
	var buf [16]int
	able = buf[:0]
	all := true
	for i, c := range b.Candidates {
		switch {
		case c.Knows && c.Up:
			able = append(able, i)
		default:
			all = all && c.Knows
		}
	}
	if len(able) == 0 {
		return -1
	}
	for _, i := range able {
		if b.Candidates[i].View {
			return i
		}
	}
	leads := b.Lead >= 0 && b.Candidates[b.Lead].Knows && b.Candidates[b.Lead].Up
	switch {
	case b.InOrder:
		return able[0]
	case !all && leads:
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

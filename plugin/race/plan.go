package race

import "time"

// Bounds of the hedge, and what it is of an upstream that was not timed yet.
const (
	minHedge   = 10 * time.Millisecond
	maxHedge   = 200 * time.Millisecond
	firstHedge = 50 * time.Millisecond
)

// Plan says whom a race asks when. The zero Plan asks everybody at once (R1).
type Plan struct {
	Alone bool          // one leg is asked at once, all others later (R16)
	First int           // that one
	Hedge time.Duration // the others are asked when that has passed, or when the first is of no use before that
	Final bool          // NODATA with SOA of the first ends the race, for all others have lately denied the name
}

// Field is what is known when a race begins.
type Field struct {
	Surveyed bool // everybody was asked in this zone not long ago
	Lead     int  // the leg whose upstream was first to answer in it, or -1
	InOrder  bool // of several knowers the first is asked
	Runners  []Runner
}

// Runner is what is known of the upstream of a leg.
type Runner struct {
	Up     bool          // it replies, and not only to other types
	Knows  bool          // it is a knower of the zone
	View   bool          // its answers are preferred before all others'
	Denied bool          // it has lately denied this very name
	Usual  time.Duration // what its good replies take; 0: none was timed
	Late   time.Duration // what one of twenty takes longer than; 0: likewise
}

// Plan says whom to ask in which order: one knower alone, if there is one that is up.
func (f Field) Plan() Plan {
	if !f.Surveyed {
		return Plan{}
	}
	first := f.first()
	if first < 0 {
		return Plan{}
	}
	p := Plan{Alone: true, First: first, Hedge: firstHedge, Final: true}
	if late := f.Runners[first].Late; late != 0 {
		p.Hedge = min(max(late, minHedge), maxHedge)
	}
	for i := range f.Runners {
		p.Final = p.Final && (i == first || f.Runners[i].Denied)
	}
	return p
}

// first is the leg to ask, or -1 if there is nobody who knows.
func (f Field) first() int {
	var able []int
	var buf [16]int
	able = buf[:0]
	all := true
	for i, r := range f.Runners {
		switch {
		case r.Knows && r.Up:
			able = append(able, i)
		default:
			all = all && r.Knows
		}
	}
	if len(able) == 0 {
		return -1
	}
	for _, i := range able {
		if f.Runners[i].View {
			return i
		}
	}
	leads := f.Lead >= 0 && f.Runners[f.Lead].Knows && f.Runners[f.Lead].Up
	switch {
	case f.InOrder:
		return able[0]
	case !all && leads:
		return f.Lead
	}
	fastest := able[0]
	for _, i := range able {
		if f.Runners[i].Usual < f.Runners[fastest].Usual {
			fastest = i
		}
	}
	if leads && f.Runners[f.Lead].Usual <= 2*f.Runners[fastest].Usual {
		return f.Lead // answers should not change for little
	}
	return fastest
}

package race

import "time"

// Rules are those of all races.
type Rules struct {
	Timeout  time.Duration // a race's end at the latest
	Policy   Policy
	Filtered bool // the reply of a filter (RFC 8914) ends the race (R4)
}

// Setup says how one race is run.
type Setup struct {
	Rules
	Aliases bool        // the end of an alias is asked for, unless the client asks for signatures
	Answers bool        // an alias does not win, though its end is not asked for
	DNSSEC  bool        // the client asks for signatures (DO), so of equal replies a signed one is given (R19)
	Final   bool        // a denial is given at once, and a good answer waits for all that are up (R14)
	Watched bool        // all legs are of interest; else replies are ignored once the race is certainly won
	Plan    Plan        // whom to ask first (R16)
	Others  OtherTypes  // what is known of other types of the name; nil: nothing (R4)
	Prefer  *Preference // nil: the first good answer is given (R2)
}

// OtherTypes knows what upstreams have said of other types of the name that a race asks for.
type OtherTypes interface {
	// LookAtTypes says of each leg what its NODATA is worth, and how long that of others waits
	// for its reply (R4); legs that it leaves alone count for nothing, and are waited for. It
	// reports whether a race for another type of the name is under way. It is called by the
	// goroutine that waits, when NODATA with SOA has come, and again after [Race.Learned].
	LookAtTypes(legs []OtherType) (beside bool)
}

// OtherType is what is known of a leg's upstream and of other types of the name.
type OtherType struct {
	Answered bool          // its answer for another one is alive, so it has the name
	Sole     bool          // it alone knows the zone
	Most     time.Duration // how long NODATA of one that has answered waits for its reply, since it was asked; 0: to the end of the race, negative: not at all, so that it is not asked for that
}

// Preference says which of several good answers is better (R17).
type Preference struct {
	Grace    time.Duration // how long the first good answer waits for a better one, at the least
	Private  bool          // answers with private addresses are better; else those of upstreams that come first in the list
	Expected []Expectation // by leg
}

// Expectation is what is expected of a leg. A lower rank is better. The best is that of the
// upstream whose answers the client has already; then come ranks by the order of legs, or
// one for private addresses and one for others.
type Expectation struct {
	Rank    int           // of the best answer that may come
	Differs bool          // its answers are known to differ, so its NODATA is one of them
	Wait    time.Duration // how long after it was asked it is waited for
}

// expected is what is expected of a leg: nothing of one that the race did not begin with, so
// that no answer waits for it.
func (p *Preference) expected(leg int) Expectation {
	if leg < len(p.Expected) {
		return p.Expected[leg]
	}
	return Expectation{Rank: NoRank}
}

// Ranks of answers.
const (
	ViewRank    = 0
	PrivateRank = 1
	PublicRank  = 2
)

// OrderRank is the rank of a leg by order.
func OrderRank(leg int) int { return leg + 1 }

// NoRank is worse than all others: nothing better is expected.
const NoRank = 1 << 30

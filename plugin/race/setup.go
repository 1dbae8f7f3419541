package race

import "time"

// Rules are what all races are held by.
type Rules struct {
	Timeout  time.Duration // a race's end at the latest
	Policy   Policy
	Filtered bool // a denial that says it is a filter's ends the race
}

// Setup is how one race is held.
type Setup struct {
	Rules
	DNSSEC  bool        // the client asks for signatures (DO), so of equal replies a signed one is given (R19)
	Final   bool        // a denial is the reply, at once, and a good answer waits for all who are up (R14)
	Plan    Plan        // whom to ask first (R16)
	Prefer  *Preference // nil: the first good answer is given (R2)
	Watched bool        // somebody looks at all legs; else no reply is taken any more when the race is surely won
}

// Preference says which of several good answers is better (R17).
type Preference struct {
	Grace    time.Duration // so long a good answer waits for a better one
	Private  bool          // answers with private addresses are better; else those of upstreams that stand first
	Expected []Expectation // by leg
}

// Expectation is what may be expected of a leg. A lesser rank is better. The first is that
// of the view which clients have; then those by the order of legs, or one of private
// addresses and one of others.
type Expectation struct {
	Rank    int  // of the best answer that may come of it
	Differs bool // its answers are known to differ, so its NODATA is one of them
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

package api

import "time"

// Race is a race of a client.
type Race struct {
	ID     string    `json:"id"` // later races have a longer one, or one that is greater as text
	At     time.Time `json:"at"` // when it was over
	Server string    `json:"server"`
	Outcome
	// Until is when what clients may keep of the reply ends, KeptUntil when what dnsmus itself
	// keeps of it does; null: nothing is kept.
	Until     *time.Time `json:"until"`
	KeptUntil *time.Time `json:"kept_until"`
}

// Remembered is a line of the reply to [History]: races of one name and type that ended alike,
// of which the last one is shown. Remembered are those that were denied or failed, that took long,
// that got a filter's answer, and that got something else than an upstream's reply. Records are
// not.
type Remembered struct {
	Race
	ZoneOnly bool      `json:"zone_only"` // only the zone of the name was kept, so it may be about another name there
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Count    int       `json:"count"`
	Late     []LateLeg `json:"late"` // good answers that came after the denial
	Why      Why       `json:"why"`
}

// LateLeg is a good answer that came when its race was over.
type LateLeg struct {
	Upstream string  `json:"upstream"`
	Seconds  float64 `json:"seconds"` // since the race began
}

// Why says why a race ended as it did, by what is known now. The server says it, so that all
// who read it say the same.
type Why struct {
	Kind WhyKind `json:"kind"`
	// Text is one or more sentences; Until, until when caches keep what clients got; Do, what can
	// be done, empty: nothing.
	Text  string `json:"text"`
	Until string `json:"until"`
	Do    string `json:"do"`
}

// WhyKind is one of a closed list.
type WhyKind string

// Kinds of [Why].
const (
	WhyDown         WhyKind = "down"         // the one that knows the zone is down, or fails
	WhyGone         WhyKind = "gone"         // or its link is gone
	WhyUnknown      WhyKind = "unknown"      // nobody knows the name, and all were heard
	WhyInconclusive WhyKind = "inconclusive" // some gave no opinion
	WhyFiltered     WhyKind = "filtered"     // a filter made the reply
	WhySpecial      WhyKind = "special"      // dnsmus replies itself
	WhyRefused      WhyKind = "refused"      // max_concurrent
	WhyBogus        WhyKind = "bogus"        // the answer has addresses that are left out
	WhyProven       WhyKind = "proven"       // the name exists, though it was denied
	WhyNoData       WhyKind = "nodata"       // the name exists, without such a record
	WhyDiffer       WhyKind = "differ"       // answers in the zone differ
	WhySlow         WhyKind = "slow"         // all waited for one
	WhyFailed       WhyKind = "failed"       // all that replied failed, or nobody replied
	WhyAlias        WhyKind = "alias"        // the end of an alias was not found
	WhyForged       WhyKind = "forged"       // replies may be
	WhyTruncated    WhyKind = "truncated"    // the whole reply cannot be had
	WhyStale        WhyKind = "stale"        // what was kept is given, as its giver is away
	WhyLate         WhyKind = "late"         // a good answer came after the denial
	WhyGood         WhyKind = "good"         // it is good now
)

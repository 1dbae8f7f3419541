package api

import "time"

// Outcome is what became of a race: what the client got, and what each upstream said.
type Outcome struct {
	Name       string     `json:"name"`
	Type       string     `json:"type"`
	Verdict    string     `json:"verdict"`  // good, nodata, nxdomain, servfail, refused, error, referral, bogus, truncated, cname or none
	Rcode      string     `json:"rcode"`    // of what the client got
	Upstream   *string    `json:"upstream"` // whose reply is given
	Seconds    float64    `json:"seconds"`  // that the race took
	Answer     []string   `json:"answer"`   // records; null: they were not kept
	Authority  []string   `json:"authority"`
	Data       *string    `json:"data"`       // the data of Answer in short; null: there is none, or it was not kept
	Conclusive bool       `json:"conclusive"` // every upstream gave its opinion, or one a good answer
	Missing    []Missing  `json:"missing"`    // the upstreams that gave none
	TTL        *uint32    `json:"ttl"`        // seconds that clients may keep the reply
	Differ     []string   `json:"differ"`     // upstreams whose good answers differ
	Preferred  *Preferred `json:"preferred"`  // whose of these answers prefer would take
	Parts      []Part     `json:"parts"`      // of a reply that is an alias of one upstream and what it leads to, as others say
	Upstreams  []Leg      `json:"upstreams"`

	Asked string `json:"asked"` // who was: one of AskedAll and so on
	// Changed says why the client got something else than an upstream's reply: one of
	// ChangedSpecial and so on; null: it did not.
	Changed *string `json:"changed"`

	Interrupted bool `json:"interrupted"` // of explain: it was ended before the race was
	Filtered    bool `json:"filtered"`    // the reply is a filter's, and final
	Final       bool `json:"final"`       // the denial is, though not all were waited for
	// LongerTTL is TTL while the name has a living answer of another type; null: that makes no
	// difference.
	LongerTTL *uint32 `json:"longer_ttl"`
	// Prefer is the option of the server: "", "order" or "private".
	Prefer string `json:"prefer"`
	// Kept is, of explain, what dnsmus's own cache had when it was asked; null: nothing.
	Kept *Kept `json:"kept"`
}

// Kept is a reply that dnsmus's own cache has.
type Kept struct {
	Verdict   string    `json:"verdict"` // as in Outcome
	Rcode     string    `json:"rcode"`
	Upstreams []string  `json:"upstreams"` // who gave it, or its parts; none: it is no upstream's
	Answer    []string  `json:"answer"`    // records
	Since     time.Time `json:"since"`
	Until     time.Time `json:"until"`    // when its life is over, if no change of the network ends it before
	Stale     bool      `json:"stale"`    // it is over: clients get it only if who gave it is away
	Replaced  bool      `json:"replaced"` // the cache has what this query has brought instead, or nothing
}

// Words of [Outcome.Asked].
const (
	AskedAll    = "all"    // all at once
	AskedKnower = "knower" // one that knows the zone, alone
	AskedHedged = "hedged" // that one, and then the others
	AskedSurvey = "survey" // all, to see whether what is known of the zone is still true
	AskedNone   = "none"   // dnsmus replied itself
)

// Words of [Outcome.Changed].
const (
	ChangedSpecial   = "special"   // the name is one that dnsmus answers itself
	ChangedProven    = "proven"    // the name was denied, but is proven to exist, so it is NODATA
	ChangedAway      = "away"      // the only upstream that knows the zone is, so it is SERVFAIL
	ChangedForged    = "forged"    // replies of an upstream may be, so it is SERVFAIL
	ChangedUntrusted = "untrusted" // all who answered are left out by private_from, so it is NODATA
	ChangedAlias     = "alias"     // the end of an alias was not found, so it is SERVFAIL
	ChangedStale     = "stale"     // what was kept is given, as its giver is away
	ChangedRefused   = "refused"   // max_concurrent were under way
	ChangedNone      = "none"      // no upstream replied, so it is SERVFAIL
)

// Missing is an upstream that gave no opinion of the name.
type Missing struct {
	Upstream string `json:"upstream"`
	Why      string `json:"why"`
	Silent   bool   `json:"silent"` // it left this name without reply, though it answers others
}

// Preferred is whose of several good answers the option prefer takes.
type Preferred struct {
	Order   string `json:"order"`
	Private string `json:"private"`
}

// Part is a part of a reply that is made of several.
type Part struct {
	Name     string  `json:"name"`
	Upstream *string `json:"upstream"` // null: dnsmus itself
}

// Leg is an upstream's part in a race.
type Leg struct {
	Upstream string `json:"upstream"`
	// Seconds is when its reply or its failure came, since the race began; null: neither has come.
	Seconds        *float64 `json:"seconds"`
	Rcode          *string  `json:"rcode"`
	Verdict        string   `json:"verdict"` // as in Outcome; none while there is no reply
	Winner         bool     `json:"winner"`
	Late           bool     `json:"late"` // the race was over without it
	Why            string   `json:"why"`  // what it said or why it did not, in words
	Answer         []string `json:"answer"`
	Authority      []string `json:"authority"`
	Data           *string  `json:"data"` // the data of its answers in short, or "SOA", "truncated" or "-"; null: there is no reply, or it was not kept
	Truncated      bool     `json:"truncated"`
	Stream         bool     `json:"stream"` // the reply came over a stream, not over UDP
	Private        bool     `json:"private"`
	Alias          bool     `json:"alias"` // it is an alias, and the verdict is on what that leads to
	ExtendedErrors []string `json:"extended_errors"`
	Down           bool     `json:"down"`    // the upstream is, so it was not waited for
	Unasked        bool     `json:"unasked"` // it was not asked
}

// Explained is a line of the reply to [Explain]: first "legs", which has all, once the race has
// begun; then "leg" for each that has replied or failed; "over" when the race is, from which on
// only late replies are waited for; and last "outcome".
type Explained struct {
	Event   string   `json:"event"`
	Legs    []Leg    `json:"legs,omitempty"`    // of "legs"
	Leg     *Leg     `json:"leg,omitempty"`     // of "leg"
	Index   int      `json:"index"`             // of Leg among Legs
	Outcome *Outcome `json:"outcome,omitempty"` // of "over" and "outcome"
	Server  string   `json:"server,omitempty"`  // that was asked
}

// Lines of [Explained].
const (
	LineLegs    = "legs"
	LineLeg     = "leg"
	LineOver    = "over"
	LineOutcome = "outcome"
)

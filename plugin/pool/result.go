package pool

import (
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// Result is how a race ended. It is shared by all clients that waited for it, and must not
// be changed.
type Result struct {
	race.Result
	Members []*Member     // by leg; after those, others that were asked for the end of an alias
	Took    time.Duration // the time of the race

	// Parts are those of a reply that is an alias and what it leads to, as other replies say
	// (R23). Without any the reply is that of the leg's upstream.
	Parts []Part

	// Proven says to give NODATA without SOA instead of a reply: the name was denied, but
	// is proven to exist (R18).
	Proven bool
	// Away says to give SERVFAIL instead of a reply: the only upstream that knows the zone
	// is away, and Errs says why (R18).
	Away bool
	// Forged says to give SERVFAIL instead of a denial: too many replies of an upstream had
	// wrong ids (R9).
	Forged bool
	// Answered says that the reply denies the type, and that an upstream's answer for another
	// type of the name is alive (R7).
	Answered bool
	// Differ says that upstreams are known to give different answers in the zone (R17).
	Differ bool
	// Survey says that all were asked although somebody knows the zone, to see whether that is
	// still true.
	Survey bool
	// Stale, unless it is nil, is the answer that is given instead of a reply: its life has
	// ended, but its giver is away, or takes long (R24).
	Stale *Kept

	// KeptFor is how long the outcome is kept; 0: not at all.
	KeptFor time.Duration

	Plan    race.Plan
	Unasked int // upstreams that were not asked
}

// MaxTTL says how long caches may keep the reply (R7); negative is how long a denial.
func (r *Result) MaxTTL(negative time.Duration) race.MaxTTL {
	return r.Result.MaxTTL(negative, r.Answered, r.Differ)
}

// Part is a part of a reply that is the alias of another one.
type Part struct {
	Name  string  // that was asked for
	Giver *Member // whose reply to that it is; nil: one of our own (R14)
}

// giver is the upstream whose reply is given; nil: there is none.
func (r *Result) giver() *Member {
	switch {
	case r.Stale != nil && len(r.Stale.Givers) > 0:
		return r.Stale.Givers[0]
	case r.Leg < 0:
		return nil
	}
	return r.Members[r.Leg]
}

// givenBy reports whether all of the reply is that of one upstream.
func (r *Result) givenBy(m *Member) bool {
	for _, p := range r.Parts {
		if p.Giver != m {
			return false
		}
	}
	return r.giver() == m
}

// Givers are the upstreams whose reply is given, in the order of its parts.
func (r *Result) Givers() (all []*Member) {
	if len(r.Parts) == 0 {
		return r.Members[r.Leg : r.Leg+1 : r.Leg+1]
	}
	for _, p := range r.Parts {
		if p.Giver != nil && !slices.Contains(all, p.Giver) {
			all = append(all, p.Giver)
		}
	}
	return all
}

// Kept is a reply that is kept.
type Kept = cache.Entry[*Member]

package outcome

import (
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// Asked says who was asked in a race, in a word of package api.
func Asked(res *pool.Result) string {
	switch {
	case res.Survey:
		return api.AskedSurvey
	case !res.Plan.Alone:
		return api.AskedAll
	case res.Unasked > 0:
		return api.AskedKnower
	}
	return api.AskedHedged
}

// Changed says why a client gets something else than an upstream's reply, in a word of package api;
// empty: it does not.
func Changed(res *pool.Result) string {
	switch {
	case res.Stale != nil:
		return api.ChangedStale
	case res.Proven:
		return api.ChangedProven
	case res.Away:
		return api.ChangedAway
	case res.Forged:
		return api.ChangedForged
	case res.Verdict == race.Untrusted:
		return api.ChangedUntrusted
	case res.Verdict == race.Broken:
		return api.ChangedAlias
	case res.Leg < 0:
		return api.ChangedNone
	}
	return ""
}

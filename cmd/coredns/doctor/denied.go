package doctor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// mayBeKnown are the reasons of denials of names that somebody may know all the same, and in short
// what is the matter.
var mayBeKnown = []struct {
	kind api.WhyKind
	what string
}{
	{api.WhyDown, "who knows them is down"},
	{api.WhyGone, "the interface of who knows them is gone"},
	{api.WhyLate, "a good answer came too late"},
	{api.WhyInconclusive, "not all upstreams gave an opinion"},
	{api.WhyForged, "replies may be forged"},
}

// lately is how long ago a name was asked for that is still of interest.
const lately = 10 * time.Minute

// denied looks for names that are denied though somebody may know them.
func denied(ctx context.Context, m *machine) (f found, err error) {
	all, err := read[api.Remembered](ctx, m, api.History)
	if err != nil {
		return f, err
	}
	f.saw(show.Count(len(all), "name", "names") + " remembered")
	now := time.Now()
	for _, k := range mayBeKnown {
		refused(&f, all, now, k.kind, k.what)
	}
	return f, nil
}

// refused notes what is denied for one reason.
func refused(f *found, all []api.Remembered, now time.Time, kind api.WhyKind, what string) {
	var evidence []string
	do, n := "", 0
	for i := range all {
		r := &all[i]
		if r.Why.Kind != kind || now.Sub(r.Last) > lately || r.Verdict == "good" && r.Changed == nil {
			continue
		}
		until := latest(r.Until, r.KeptUntil)
		if (kind == api.WhyLate || kind == api.WhyInconclusive) && !until.After(now) {
			continue // nobody denies it any more
		}
		if n++; n > maxFew {
			continue
		}
		line := fmt.Sprintf("%s %s: %s", r.Name, r.Type, r.Why.Text)
		if until.After(now) {
			line += " Kept until " + show.Clock(until.Local(), now.Local()) + "."
		}
		evidence = append(evidence, line)
		if do == "" {
			do = r.Why.Do
		}
	}
	if n == 0 {
		return
	}
	if more := n - len(evidence); more > 0 {
		evidence = append(evidence, fmt.Sprintf("and %d more", more))
	}
	if do == "" {
		do = "dnsmus explain NAME asks all upstreams now"
	}
	f.add(fmt.Sprintf("%s denied or failed though somebody may know more: %s.", show.Count(n, "name is", "names are"), what), do, slices.Clip(evidence)...)
}

// latest is the later one of two times; zero if there is none.
func latest(a, b *time.Time) (t time.Time) {
	for _, one := range []*time.Time{a, b} {
		if one != nil && one.After(t) {
			t = *one
		}
	}
	return t
}

package control

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/history"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Facts are what a filter goes by: they are at hand before a race is put in words, which takes much
// longer.
type Facts struct {
	Name     []byte // in wire format and lower case
	Type     uint16
	Verdict  race.Verdict
	Upstream string          // whose reply was given; empty: nobody's
	Good     func() []string // upstreams with a good answer
	Took     time.Duration
	Differ   bool
	Asked    string // in a word of package api
}

// factsOf are those of a remembered race.
func factsOf(r *history.Race) *Facts {
	f := &Facts{Name: r.Name, Type: r.Type, Verdict: r.Verdict, Upstream: r.By, Took: r.Took, Differ: r.Differ, Asked: r.Asked}
	f.Good = func() (names []string) {
		for i := range r.Legs {
			if l := &r.Legs[i]; l.Verdict == race.Good {
				names = append(names, l.Upstream)
			}
		}
		return names
	}
	return f
}

// filter reports whether a race is wanted.
type filter func(*Facts) bool

// parseFilter reads words, all of which must be true of a race; see [api.Filter]. Upstreams in words
// are to be among some, unless that is nil.
func parseFilter(text api.Filter, upstreams []string) (filter, error) {
	var all []filter
	for word := range strings.FieldsSeq(text) {
		f, err := parseWord(word, upstreams)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return func(f *Facts) bool {
		return !slices.ContainsFunc(all, func(wants filter) bool { return !wants(f) })
	}, nil
}

func parseWord(word string, upstreams []string) (filter, error) {
	switch {
	case slices.Contains([]string{"!", "@", "only:"}, word):
		return nil, fmt.Errorf("%q lacks what is to follow", word)
	case strings.Contains(word, ","):
		return nil, fmt.Errorf("%q: a filter has blanks between its words, no commas, and all of them must be true", word)
	case strings.HasPrefix(word, "<"):
		return nil, fmt.Errorf("%q: what took less than a time is '!>' and that time, such as !>500ms", word)
	}
	if rest, not := strings.CutPrefix(word, "!"); not {
		wants, err := parseWord(rest, upstreams)
		return func(f *Facts) bool { return !wants(f) }, err
	}
	if by, ok := strings.CutPrefix(word, "@"); ok {
		return func(f *Facts) bool { return api.Means(f.Upstream, by) }, isOne(by, upstreams)
	}
	if by, ok := strings.CutPrefix(word, "only:"); ok {
		return func(f *Facts) bool {
			good := f.Good()
			return len(good) == 1 && api.Means(good[0], by)
		}, isOne(by, upstreams)
	}
	if how, ok := strings.CutPrefix(word, "asked:"); ok {
		if !slices.Contains([]string{api.AskedAll, api.AskedKnower, api.AskedHedged, api.AskedSurvey, api.AskedNone}, how) {
			return nil, fmt.Errorf("%q: asked is one of all, knower, hedged, survey and none", word)
		}
		return func(f *Facts) bool { return f.Asked == how }, nil
	}
	if text, ok := strings.CutPrefix(word, ">"); ok {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return nil, fmt.Errorf("%q: %q is not a duration such as 500ms", word, text)
		}
		return longerThan(d), nil
	}
	switch word {
	case "denied":
		return func(f *Facts) bool { return f.Verdict.Negative() }, nil
	case "failed":
		return func(f *Facts) bool { return !f.Verdict.Negative() && !f.Verdict.Wins() }, nil
	case "slow":
		return longerThan(history.Slow), nil
	case "differ":
		return func(f *Facts) bool { return f.Differ }, nil
	}
	if qtype, isType := dns.StringToType[strings.ToUpper(word)]; isType {
		return func(f *Facts) bool { return f.Type == qtype }, nil
	}
	if before, _, colon := strings.Cut(word, ":"); colon {
		return nil, fmt.Errorf("%q: a filter has no word %s:, but asked:WHOM and only:UPSTREAM", word, before)
	}
	if near, likely := option.Nearest(word, []string{"denied", "failed", "slow", "differ"}); likely && !strings.Contains(word, ".") {
		return nil, fmt.Errorf("%q is no word of a filter, perhaps %s; as a zone it is %q", word, near, word+".")
	}
	zone, err := parseName(word)
	if err != nil {
		return nil, fmt.Errorf("%w, nor another word of a filter", err)
	}
	return func(f *Facts) bool { return wire.Below(f.Name, zone) }, nil
}

// isOne is an error if no upstream is meant by a word.
func isOne(word string, upstreams []string) error {
	if upstreams == nil || slices.ContainsFunc(upstreams, func(name string) bool { return api.Means(name, word) }) {
		return nil
	}
	return fmt.Errorf("%q is no upstream; they are %s", word, printable.And(upstreams))
}

func longerThan(d time.Duration) filter { return func(f *Facts) bool { return f.Took >= d } }

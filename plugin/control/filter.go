package control

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/history"
)

// filter reports whether a race is wanted.
type filter func(*api.Race) bool

// parseFilter reads words, all of which must be true of a race; see [api.Filter].
func parseFilter(text string) (filter, error) {
	var all []filter
	for word := range strings.FieldsSeq(text) {
		f, err := parseWord(word)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return func(r *api.Race) bool {
		return !slices.ContainsFunc(all, func(f filter) bool { return !f(r) })
	}, nil
}

func parseWord(word string) (filter, error) {
	if rest, not := strings.CutPrefix(word, "!"); not {
		f, err := parseWord(rest)
		return func(r *api.Race) bool { return !f(r) }, err
	}
	if by, ok := strings.CutPrefix(word, "@"); ok && by != "" {
		return func(r *api.Race) bool { return r.Upstream != nil && isUpstream(*r.Upstream, by) }, nil
	}
	if by, ok := strings.CutPrefix(word, "only:"); ok && by != "" {
		return func(r *api.Race) bool { return isUpstream(onlyGood(r), by) }, nil
	}
	if how, ok := strings.CutPrefix(word, "asked:"); ok {
		if !slices.Contains([]string{"all", "knower", "hedged", "survey", "none"}, how) {
			return nil, fmt.Errorf("%q: asked is one of all, knower, hedged, survey and none", word)
		}
		return func(r *api.Race) bool { return r.Asked == how }, nil
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
		return denied, nil
	case "failed":
		return func(r *api.Race) bool { return !denied(r) && r.Verdict != "good" && r.Verdict != "cname" }, nil
	case "slow":
		return longerThan(history.Slow), nil
	case "differ":
		return func(r *api.Race) bool { return len(r.Differ) > 0 }, nil
	}
	if _, isType := dns.StringToType[strings.ToUpper(word)]; isType && !strings.Contains(word, ".") {
		return func(r *api.Race) bool { return strings.EqualFold(r.Type, word) }, nil
	}
	zone, err := parseName(word)
	if err != nil {
		return nil, fmt.Errorf("%w, nor another word of a filter", err)
	}
	suffix := history.Presentation(zone)
	return func(r *api.Race) bool {
		name := strings.ToLower(r.Name)
		return suffix == "." || name == suffix || strings.HasSuffix(name, "."+suffix)
	}, nil
}

func denied(r *api.Race) bool { return r.Verdict == "nxdomain" || r.Verdict == "nodata" }

func longerThan(d time.Duration) filter {
	return func(r *api.Race) bool { return r.Seconds >= d.Seconds() }
}

// isUpstream reports whether an upstream is meant by a word: it is written so, or so without its link.
func isUpstream(name, word string) bool {
	bare, _, _ := strings.Cut(name, "%")
	return name != "" && (name == word || bare == word)
}

// onlyGood is the only upstream with a good answer; empty: there is none, or several.
func onlyGood(r *api.Race) (name string) {
	for i := range r.Upstreams {
		if l := &r.Upstreams[i]; l.Verdict == "good" {
			if name != "" {
				return ""
			}
			name = l.Upstream
		}
	}
	return name
}

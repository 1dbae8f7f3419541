package control

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// Wanted returns what reports whether all words of a filter are true of a race that a server told, so
// that readers choose among those that they have as the server would. Whether there are upstreams
// of those names it does not know.
func Wanted(words api.Filter) (func(*api.Race) bool, error) {
	wants, err := parseFilter(words, nil)
	if err != nil {
		return nil, err
	}
	return func(r *api.Race) bool { return wants(factsTold(r)) }, nil
}

func factsTold(r *api.Race) *Facts {
	f := &Facts{Name: []byte{0}, Took: time.Duration(r.Seconds * float64(time.Second)), Differ: len(r.Differ) > 0, Asked: r.Asked}
	if name, qtype, err := parseQuestion(r.Name, r.Type); err == nil && name != nil {
		f.Name, f.Type = name, qtype
	}
	for f.Verdict < race.Good && f.Verdict.String() != r.Verdict {
		f.Verdict++
	}
	if r.Upstream != nil {
		f.Upstream = *r.Upstream
	}
	f.Good = func() (names []string) {
		for i := range r.Upstreams {
			if l := &r.Upstreams[i]; l.Verdict == race.Good.String() && !l.Late {
				names = append(names, l.Upstream)
			}
		}
		return names
	}
	return f
}

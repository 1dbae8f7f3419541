package top

import (
	"slices"
	"strings"
	"time"
)

// foldWithin is how long after a denial a good answer to what is the same name without its search
// domain, or with another one, makes it part of that.
const foldWithin = time.Second

const (
	maxSuffixes = 32
	maxNames    = 8 // of what is folded that are kept
)

// suffixes are search domains: of this system, of links, and those that names were seen to be asked
// with.
type suffixes struct{ all []string } // with a dot before and after, the latest last

func (s *suffixes) add(domain string) {
	domain = "." + strings.ToLower(strings.Trim(domain, ".~")) + "."
	if domain == ".." {
		return
	}
	if i := slices.Index(s.all, domain); i >= 0 {
		s.all = slices.Delete(s.all, i, i+1)
	}
	if len(s.all) >= maxSuffixes {
		s.all = s.all[1:]
	}
	s.all = append(s.all, domain)
}

// same reports whether a search list makes both names of one; longer, whether it makes the first of
// the second.
func (s *suffixes) same(a, b string) (same, longer bool) {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if short := strings.TrimSuffix(b, "."); len(a) > len(b) && strings.HasPrefix(a, short+".") && strings.Contains(short, ".") {
		s.add(a[len(short):])
		return true, true
	}
	for _, of := range s.all {
		base, found := strings.CutSuffix(a, of)
		if !found || base == "" {
			continue
		}
		if rest, found := strings.CutPrefix(b, base); found && (rest == "." || slices.Contains(s.all, rest)) {
			return a != b, false
		}
	}
	return false, false
}

// fold makes the denials that a search list led to part of the good answer that came then: it was
// answered what was looked for. Of a short name that may be the wrong answer if some upstream had no
// opinion of what was denied before, so then that stays.
func (m *model) fold(n *row) {
	if n.race.Verdict != "good" || n.times > 1 || !isAddress(n.race.Type) {
		return
	}
	all := m.races.all
	for i := slices.Index(all, n) - 1; i >= 0; i-- {
		o := all[i]
		if o.race == nil {
			continue
		}
		if begun := n.at.Add(-time.Duration(n.race.Seconds * float64(time.Second))); o.run != n.run || begun.Sub(o.at).Abs() > foldWithin {
			return
		}
		if o.with != nil || !folds(o) {
			continue
		}
		if same, longer := m.search.same(o.race.Name, n.race.Name); same && (longer || o.race.Conclusive) {
			o.with = n
			n.folded++
			if len(n.names) < maxNames {
				n.names = append(n.names, o.race.Name+" "+o.race.Type)
			}
		}
	}
}

// folds reports whether a race may be part of another one.
func folds(r *row) bool {
	e := r.race
	return (e.Verdict == "nxdomain" || e.Verdict == "nodata") && e.Changed == nil && !e.Filtered &&
		r.times <= 1 && !r.wrong && len(e.Differ) == 0 && isAddress(e.Type)
}

// isAddress reports whether programs ask for a type, beside others, when they look up a host.
func isAddress(kind string) bool { return kind == "A" || kind == "AAAA" || kind == "HTTPS" }

// unfold shows a race by itself again.
func (m *model) unfold(r *row) {
	if r.with == nil {
		return
	}
	r.with.folded--
	r.with.names = slices.DeleteFunc(r.with.names, func(name string) bool { return name == r.race.Name+" "+r.race.Type })
	r.with = nil
}

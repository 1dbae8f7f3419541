package doctor

import (
	"fmt"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

func TestDenied(t *testing.T) {
	now := time.Now()
	later, before := now.Add(time.Hour), now.Add(-time.Second)
	race := func(name string, kind api.WhyKind, last time.Time, until *time.Time) api.Remembered {
		r := api.Remembered{Last: last, Why: api.Why{Kind: kind, Text: "Because.", Do: "Do this."}}
		r.Name, r.Type, r.Verdict, r.Until = name, "A", "nxdomain", until
		return r
	}
	stale := race("old.corp.example.", api.WhyDown, before, nil)
	stale.Verdict = "good"
	var many []any
	for i := range 9 {
		many = append(many, race(fmt.Sprintf("n%d.corp.example.", i), api.WhyDown, before, &later))
	}
	var all []scenario
	for _, w := range []struct {
		name  string
		races []any
		want  []string
	}{
		{"nothing is remembered", nil, nil},
		{"who knows it is down", []any{race("git.corp.example.", api.WhyDown, before, nil)}, []string{"1 name is denied | who knows them is down | git.corp.example. A: Because. | Do this."}},
		{"and it is kept", []any{race("git.corp.example.", api.WhyGone, before, &later)}, []string{"interface | Kept until "}},
		{"long ago", []any{race("git.corp.example.", api.WhyDown, now.Add(-time.Hour), &later)}, nil},
		{"nobody knows it", []any{race("typo.example.", api.WhyUnknown, before, &later)}, nil},
		{"not all gave an opinion", []any{race("a.example.", api.WhyInconclusive, before, &later), race("b.example.", api.WhyLate, before, &later)},
			[]string{"too late | b.example.", "opinion | a.example."}},
		{"but caches have forgotten it", []any{race("a.example.", api.WhyInconclusive, before, &before), race("b.example.", api.WhyLate, before, nil)}, nil},
		{"what is kept was given", []any{stale}, nil},
		{"many", many, []string{"9 names are | n4.corp.example. | and 4 more"}},
	} {
		all = append(all, scenario{w.name, tree(t, nil).served(t, listening(":53"), map[string][]any{api.History: w.races}), w.want})
	}
	diagnose(t, denied, all)
}

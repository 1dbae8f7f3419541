package outcome

import (
	"slices"
	"testing"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
)

func says(address string) result {
	m := new(dns.Msg).SetQuestion("host.example.", dns.TypeA)
	m.Response = true
	knows("host.example. 60 IN A "+address)("udp", m)
	return result{after: 12 * ms, msg: m, verdict: race.Good}
}

// R17: the output shows that answers differ, whose they are, and which one is preferred.
func TestR17Differ(t *testing.T) {
	home, company, near := says("192.0.2.1"), says("10.1.0.10"), says("192.0.2.9")
	for _, tc := range []struct {
		what    string
		o       *outcome
		differ  []int
		order   int
		private int
	}{
		{"nothing", example(deniesResult, silentResult).won(0, ms), nil, 0, 0},
		{"one", example(deniesResult, home).won(1, ms), nil, 0, 0},
		{"alike", example(home, near).won(0, ms), nil, 0, 0},
		{"private and public", example(deniesResult, home, company).won(1, ms), []int{1, 2}, 1, 2},
		{"the private one is first", example(company, home, near).won(0, ms), []int{0, 1, 2}, 0, 0},
	} {
		among := tc.o.differing()
		if !slices.Equal(among, tc.differ) {
			t.Errorf("%s: %v differ, want %v", tc.what, among, tc.differ)
			continue
		}
		s := tc.o.api()
		if len(s.Differ) != len(tc.differ) || (s.Preferred != nil) != (len(tc.differ) > 0) {
			t.Errorf("%s: %+v", tc.what, s)
		}
		if len(among) > 0 && (tc.o.preferred(among, option.Order) != tc.order || tc.o.preferred(among, option.Private) != tc.private || s.Preferred.Private != tc.o.results[tc.private].upstream || !s.Upstreams[tc.private].Private) {
			t.Errorf("%s: others are preferred, %+v", tc.what, s)
		}
	}
}

// The preferred answer is shown as such.
func TestPreferred(t *testing.T) {
	slow := says("10.1.0.10")
	slow.after *= 2
	o := example(says("192.0.2.1"), slow).won(1, 24*ms)
	if a, b := o.why(0), o.why(1); a != "good, but not preferred" || b != "preferred answer" {
		t.Errorf("%q, %q", a, b)
	}
}

// A denial that is final though one was not heard does not say that all were.
func TestFinal(t *testing.T) {
	for what, tc := range map[string]struct {
		o    *outcome
		want bool
	}{
		"all were heard":      {example(deniesResult, deniesResult).won(0, ms), false},
		"one was not":         {example(deniesResult, silentResult).won(0, ms), true},
		"and that is missing": {example(deniesResult, silentResult).won(0, ms, 1), false},
		"a good answer":       {example(goodResult, silentResult).won(0, ms), false},
	} {
		if s := tc.o.api(); s.Final != tc.want {
			t.Errorf("%s: %+v", what, s)
		}
	}
}

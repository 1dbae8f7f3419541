package race

import (
	"strings"
	"testing"
	"time"
)

// candidates reads them: one word an upstream, of "k" knows, "d" is down, "n" has denied
// the name, "o" has answered it, "v" is preferred, and a digit, the tens of ms that its replies take.
func candidates(words string) (list []Candidate) {
	for word := range strings.FieldsSeq(words) {
		c := Candidate{Up: !strings.Contains(word, "d"), Knows: strings.Contains(word, "k"), Denied: strings.Contains(word, "n"), View: strings.Contains(word, "v"), Owner: strings.Contains(word, "o")}
		if n := strings.IndexAny(word, "123456789"); n >= 0 {
			c.Median = time.Duration(word[n]-'0') * 10 * ms
			c.P95 = 2 * c.Median
		}
		list = append(list, c)
	}
	return list
}

func TestR16Plan(t *testing.T) {
	alone := func(first int, hedge time.Duration) Plan { return Plan{Alone: true, First: first, Hedge: hedge} }
	final := func(first int, hedge time.Duration) Plan {
		return Plan{Alone: true, First: first, Hedge: hedge, Final: true}
	}
	with := func(first int, hedge time.Duration, with ...int) Plan {
		p := alone(first, hedge)
		for _, i := range with {
			p.With |= 1 << i
		}
		return p
	}
	for _, tc := range []struct {
		what       string
		inOrder    bool
		lead       int
		candidates string
		want       Plan
	}{
		{"nobody knows", false, -1, "- - -", Plan{}},
		{"no upstreams", false, -1, "", Plan{}},
		{"the one that knows, alone", false, 1, "- k2 -", alone(1, 40*ms)},
		{"it is down", false, 1, "- kd2 -", Plan{}},
		{"it was not timed", false, 1, "- k -", alone(1, firstHedge)},
		{"it is very slow", false, 1, "- k9", alone(1, 180*ms)},
		{"all others have denied the name", false, 1, "n k2 n", final(1, 40*ms)},
		{"all others but one", false, 1, "n k2 -", alone(1, 40*ms)},
		{"one that is down counts", false, 1, "nd k2 d", alone(1, 40*ms)},
		{"of two the lead", false, 2, "- k1 k2", alone(2, 40*ms)},
		{"the lead is down", false, 2, "- k1 kd2", alone(1, 20*ms)},
		{"the lead knows no more", false, 0, "1 k2 k1", alone(2, 20*ms)},
		{"all know: the fastest", false, 0, "k5 k2 k1", alone(2, 20*ms)},
		{"the lead, if it is about as fast", false, 1, "k5 k2 k1", alone(1, 40*ms)},
		{"one of all is down", false, 0, "k5 k2 kd1", alone(1, 40*ms)},
		{"in order", true, 1, "k5 k2 k1", alone(0, 100*ms)},
		{"in order, the first is down", true, 2, "kd5 k2 k1", alone(1, 40*ms)},
		{"in order, the first is not known to know", true, 2, "5 k2 k1", with(1, 40*ms, 0)},
		{"in order, the first is down, and not known to know", true, 2, "5d k2 k1", alone(1, 40*ms)},
		{"in order, those before it", true, 2, "- d - k2 -", with(3, 40*ms, 0, 2)},
		{"in order, the first has denied the name", true, 2, "n k2 k1", alone(1, 40*ms)},
		{"a view that is preferred", false, 0, "k1 k2v k1", alone(1, 40*ms)},
		{"but not while it is down", false, 0, "k1 kd2v k1", alone(0, 20*ms)},
		{"of two such the lead", false, 2, "k1 k1v k2v", alone(2, 40*ms)},
		{"one of whoever is no knower", false, 0, "k1 v -", with(0, 20*ms, 1)},
		{"not beside another", false, 0, "k1v v -", alone(0, 20*ms)},
		{"who alone has answered the name", false, 0, "k1 o -", with(0, 20*ms, 1)},
		{"not while it is down, or when it denied it since", false, 0, "k1 od on", alone(0, 20*ms)},
		{"nor if the knower has, too", false, 0, "k1o o o", alone(0, 20*ms)},
		{"NODATA is final all the same", false, 0, "k1 on n", final(0, 20*ms)},
	} {
		b := Basis{Surveyed: true, Lead: tc.lead, InOrder: tc.inOrder, Candidates: candidates(tc.candidates)}
		if got := b.Plan(); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.what, got, tc.want)
		}
		if b.LeadAlone = true; !tc.inOrder && tc.lead >= 0 && b.Candidates[tc.lead].Knows && b.Candidates[tc.lead].Up && !strings.Contains(tc.candidates, "v") {
			hedge := min(8*b.Candidates[tc.lead].Median, maxHedge)
			if hedge == 0 {
				hedge = firstHedge
			}
			if got := b.Plan(); got.First != tc.lead || got.Hedge != hedge {
				t.Errorf("%s: the lead knows more than others, and %+v", tc.what, got)
			}
		}
		b.Surveyed = false
		if got := b.Plan(); got != (Plan{}) {
			t.Errorf("%s, not surveyed: %+v", tc.what, got)
		}
	}
}

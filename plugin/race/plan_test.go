package race

import (
	"strings"
	"testing"
	"time"
)

// runners reads a field: one word an upstream, of "k" knows, "d" is down, "n" has denied
// the name, "v" is preferred, and a digit, the tens of ms that its replies take.
func runners(words string) (list []Runner) {
	for word := range strings.FieldsSeq(words) {
		r := Runner{Up: !strings.Contains(word, "d"), Knows: strings.Contains(word, "k"), Denied: strings.Contains(word, "n"), View: strings.Contains(word, "v")}
		if n := strings.IndexAny(word, "123456789"); n >= 0 {
			r.Usual = time.Duration(word[n]-'0') * 10 * ms
			r.Late = 2 * r.Usual
		}
		list = append(list, r)
	}
	return list
}

func TestR16Plan(t *testing.T) {
	alone := func(first int, hedge time.Duration) Plan { return Plan{Alone: true, First: first, Hedge: hedge} }
	final := func(first int, hedge time.Duration) Plan {
		return Plan{Alone: true, First: first, Hedge: hedge, Final: true}
	}
	for _, tc := range []struct {
		what     string
		strategy Strategy
		lead     int
		place    uint64
		runners  string
		want     Plan
	}{
		{"nobody knows", Strategy{}, -1, 0, "- - -", Plan{}},
		{"no upstreams", Strategy{}, -1, 0, "", Plan{}},
		{"the one that knows, alone", Strategy{}, 1, 0, "- k2 -", alone(1, 40*ms)},
		{"it is down", Strategy{}, 1, 0, "- kd2 -", Plan{}},
		{"it was not timed", Strategy{}, 1, 0, "- k -", alone(1, firstHedge)},
		{"it is very slow", Strategy{}, 1, 0, "- k9", alone(1, 180*ms)},
		{"a hedge that is set", Strategy{Hedge: ms}, 1, 0, "- k9", alone(1, ms)},
		{"all others have denied the name", Strategy{}, 1, 0, "n k2 n", final(1, 40*ms)},
		{"all others but one", Strategy{}, 1, 0, "n k2 -", alone(1, 40*ms)},
		{"one that is down counts", Strategy{}, 1, 0, "nd k2 d", alone(1, 40*ms)},
		{"of two the lead", Strategy{}, 2, 0, "- k1 k2", alone(2, 40*ms)},
		{"the lead is down", Strategy{}, 2, 0, "- k1 kd2", alone(1, 20*ms)},
		{"the lead knows no more", Strategy{}, 0, 0, "1 k2 k1", alone(2, 20*ms)},
		{"all know: the fastest", Strategy{}, 0, 0, "k5 k2 k1", alone(2, 20*ms)},
		{"the lead, if it is about as fast", Strategy{}, 1, 0, "k5 k2 k1", alone(1, 40*ms)},
		{"one of all is down", Strategy{}, 0, 0, "k5 k2 kd1", alone(1, 40*ms)},
		{"in order", Strategy{InOrder: true}, 1, 0, "k5 k2 k1", alone(0, 100*ms)},
		{"in order, the first is down", Strategy{InOrder: true}, 2, 0, "kd5 k2 k1", alone(1, 40*ms)},
		{"in order, the first does not know", Strategy{InOrder: true}, 2, 0, "5 k2 k1", alone(1, 40*ms)},
		{"a view that is preferred", Strategy{}, 0, 0, "k1 k2v k1", alone(1, 40*ms)},
		{"but not while it is down", Strategy{}, 0, 0, "k1 kd2v k1", alone(0, 20*ms)},
		{"dealt out", Strategy{Spread: true}, 0, 5, "k1 k2 k3", alone(2, 60*ms)},
		{"dealt out among those that are up", Strategy{Spread: true}, 0, 5, "k1 k2 kd3", alone(1, 40*ms)},
		{"what not all know is not dealt out", Strategy{Spread: true}, 0, 1, "k1 k2 3", alone(0, 20*ms)},
	} {
		f := Field{Surveyed: true, Lead: tc.lead, Place: tc.place, Runners: runners(tc.runners)}
		if got := tc.strategy.Plan(f); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.what, got, tc.want)
		}
		f.Surveyed = false
		if got := tc.strategy.Plan(f); got != (Plan{}) {
			t.Errorf("%s, not surveyed: %+v", tc.what, got)
		}
	}
}

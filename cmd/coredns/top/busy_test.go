package top

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// When the server shows a sample, it is left to choose what a key stands for.
func TestSampled(t *testing.T) {
	m := told()
	ask := func(what string, got, want bool, filter string) {
		t.Helper()
		if got != want || m.request().filter != filter {
			t.Errorf("%s: asks %v for %q", what, got, m.request().filter)
		}
	}
	u := &ui{model: m}
	ask("d", u.key("d").ask, false, "")
	ask("sampled", m.take(&api.SampledEvent{OneOf: 2}, noon), true, "denied")
	ask("begun", m.take(begun{}, noon), false, "denied")
	ask("sampled again", m.take(&api.SampledEvent{OneOf: 2}, noon), false, "denied")
	ask("f", u.key("f").ask, true, "failed")
	ask("begun", m.take(begun{}, noon), false, "failed")
	ask("f again", u.key("f").ask, true, "")
	ask("u a", u.key("u").ask || u.key("a").ask, false, "")
	if m.view != "@"+tun {
		t.Error(m.view)
	}
	for _, k := range []string{"/", "c", "x", keyBackspace, "o", "rp"} {
		u.key(k)
	}
	ask("/", u.key(keyEnter).ask, true, "co")
}

// However much comes, a bounded part is kept.
func TestBounded(t *testing.T) {
	m := told()
	for i := range maxRows + 500 {
		m.take(raced(i, "a.", "good", all, "good"), noon)
	}
	if n := len(m.races.all); n != maxRows {
		t.Errorf("%d rows", n)
	}
	big := raced(maxRows+500, "big.", "good", all, "good")
	big.Answer = []string{strings.Repeat("x", 1<<20)}
	for i := range 20 {
		e := *big
		e.ID = fmt.Sprintf("%x", maxRows+501+i)
		m.take(&e, noon)
	}
	if n := len(m.races.all); m.races.bytes > maxBytes || n > 16 || n < 10 {
		t.Errorf("%d rows, %d bytes", n, m.races.bytes)
	}
	for i := range 100 {
		m.take(state(all...), noon.Add(time.Duration(i)*time.Minute))
	}
	if n := len(m.spark[tun]); n != sparkPoints {
		t.Errorf("%d points", n)
	}
}

package control

import (
	"slices"
	"testing"
	"time"
)

// A source of upstreams that cannot be used is told by the status, as long as that is so.
func TestUnusableSource(t *testing.T) {
	_, b := opened(t)
	var why []string
	b.Unusable = func() []string { return why }
	if got := b.state(time.Now()).Notes; len(got) != 0 {
		t.Errorf("%q", got)
	}
	why = []string{"a.conf has no usable nameserver line; its previous upstreams are kept"}
	want := []string{"A source of upstreams cannot be used: " + why[0] + "."}
	if got := b.state(time.Now()).Notes; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

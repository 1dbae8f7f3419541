package pool

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// privatePool has two upstreams, of which the first alone is asked for names in corp.example.
func privatePool(t *testing.T, a *asked, timeout time.Duration) *Pool {
	v := option.Default()
	v.PrivateLinks = true
	v.Rules = race.Rules{Timeout: timeout}
	p := New(Config{Values: v})
	t.Cleanup(p.Close)
	p.Replace([]server.Server{
		a.resolver(t, 0, []string{"corp.example."}, []string{"corp.example."}),
		a.resolver(t, 1, nil, nil),
	})
	return p
}

// R21: a private name is not asked for as routes decide, other names are; and it is asked for
// when the link leads to its resolver.
func TestR21Unbound(t *testing.T) {
	if !link.CanBind {
		t.Skip("sockets cannot be bound to links here, so routes always decide")
	}
	var a asked
	p := privatePool(t, &a, 200*time.Millisecond)
	vpn := p.Members()[0]
	for _, state := range []link.State{link.Unbound, link.Gone} {
		vpn.Link(0, state)
		res, _ := p.Ask(ask(t, "wiki.corp.example."), nil)
		if got := a.of("wiki.corp.example."); len(got) > 0 {
			t.Errorf("%v: asked were %v", state, got)
		}
		want := map[link.State]error{link.Unbound: upstream.ErrUnbound, link.Gone: upstream.ErrLinkGone}[state]
		if res.Leg >= 0 || len(res.Errs) != 1 || !errors.Is(res.Errs[0], want) {
			t.Errorf("%v: %v, %v", state, res.Verdict, res.Errs)
		}
	}
	vpn.Link(0, link.Unbound)
	p.Ask(ask(t, "www.public.example."), nil)
	testkit.Eventually(t, func() error { // the race may be over before it is noted
		if got := a.of("www.public.example."); !slices.Contains(got, 1) {
			return fmt.Errorf("another name: asked were %v", got)
		}
		return nil
	})

	p = privatePool(t, &a, testkit.Patience)
	vpn = p.Members()[0]
	vpn.Link(0, link.Unbound)
	results := askAll(t, p, 6)
	vpn.Link(0, link.Bound) // as when a VPN's routes come after its address
	for range 6 {
		if res := <-results; res.Verdict != race.Good {
			t.Errorf("bound: %v, %v", res.Verdict, res.Errs)
		}
	}
}

// R20: a query that is under way when a link comes back is not denied by the others alone.
func TestR20BackMeanwhile(t *testing.T) {
	denier, knower := hold(t, ""), resolver(t, "10.1.2.3")
	p := newPool(t, denier.Server, knower)
	p.Members()[1].Link(0, link.Gone)
	results := askAll(t, p, 6)
	<-denier.asked
	p.Members()[1].Link(0, link.Bound)
	for range 6 {
		if res := <-results; res.Verdict != race.Good {
			t.Errorf("%v, %v", res.Verdict, res.Errs)
		}
	}
}

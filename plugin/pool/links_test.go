//go:build linux

package pool

import (
	"fmt"
	"net"
	"testing"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// R20: what is thought of an interface may be wrong when a query comes, because nothing has told
// of the change yet. What its upstream alone knows is found all the same, whatever was thought;
// six clients ask at once.
func TestR20StaleLink(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip(err)
	}
	for _, thought := range []struct {
		what  string
		index uint32
		state link.State
	}{
		{"gone", 0, link.Gone},
		{"another, which is missing", 1 << 30, link.Bound},
		{"that routes decide", 0, link.Unbound},
		{"as it is", uint32(lo.Index), link.Bound},
	} {
		for _, forceTCP := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TCP %v", thought.what, forceTCP), func(t *testing.T) {
				knower := resolver(t, "10.1.2.3")
				knower.Link = lo.Name
				v := option.Default()
				v.ForceTCP = forceTCP
				p := New(Config{Values: v})
				t.Cleanup(p.Close)
				p.Replace([]server.Server{knower, resolver(t, ""), resolver(t, "")})
				p.Ask(ask(t, "first.corp.example."), nil) // after which the interfaces are watched
				for range 5 {
					p.Members()[0].Link(thought.index, thought.state)
					results := askAll(t, p, 6)
					for range 6 {
						if res := <-results; res.Verdict != race.Good {
							t.Fatalf("%v, %v", res.Verdict, res.Errs)
						}
					}
				}
			})
		}
	}
}

// R20: an interface that is missing all the time costs a denial no more than the wait for a look.
func TestR20MissingLink(t *testing.T) {
	away := server.Plain(testkit.Handle(t, func(dns.ResponseWriter, *dns.Msg) { t.Error("asked over a missing interface") }))
	away.Link = "no-such-link"
	p := newPool(t, away, resolver(t, ""))
	for i := range 20 {
		res, _ := p.Ask(ask(t, fmt.Sprintf("host%d.example.", i)), nil)
		if res.Verdict != race.NXDomain || len(res.Errs) != 2 || res.Errs[0] == nil {
			t.Errorf("%v, %v", res.Verdict, res.Errs)
		}
	}
}

package control

import (
	"net/http"
	"slices"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// reach has this server answer a name that was never asked for.
func (s *Socket) reach(w http.ResponseWriter, r *http.Request) {
	if err := body(r, &struct{}{}); err != nil {
		fail(w, http.StatusBadRequest, "%v; write {}", err)
		return
	}
	blocks := s.use("")
	if !slices.ContainsFunc(blocks, (*Block).answersReach) {
		fail(w, http.StatusConflict, "no server block answers names below %s: they serve other zones, or except leaves them to the next plugin", api.ReachZone)
		return
	}
	name, ok := s.reaches.add(reachTime)
	if !ok {
		fail(w, http.StatusTooManyRequests, "%d others look who reaches this server; ask again in %v", maxReach, reachTime)
		return
	}
	reply(w, api.Reached{Name: name.name, A: name.a.String(), AAAA: name.aaaa.String(), Seconds: reachTime.Seconds()})
}

// answersReach reports whether a block's queries for such names come to it.
func (b *Block) answersReach() bool {
	in := func(zones []string) bool {
		return slices.ContainsFunc(zones, func(zone string) bool { return dns.IsSubDomain(zone, api.ReachZone) })
	}
	return (len(b.Zones) == 0 || in(b.Zones)) && !in(b.Values.Except)
}

// Reached is the reply to r if it asks for a name of [api.Reach]; nil for all others.
func (s *Socket) Reached(r *dns.Msg) *dns.Msg {
	if all := s.reaches.now.Load(); all != nil {
		return reached(*all, r)
	}
	return nil
}

package control

import (
	"net/http"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

func (s *Socket) forget(w http.ResponseWriter, r *http.Request) {
	var what api.ForgetRequest
	if err := body(r, &what); err != nil {
		fail(w, http.StatusBadRequest, `%v; write {"name": ...}, {"zone": ...}, {"upstream": ...} or {"all": true}`, err)
		return
	}
	given := 0
	for _, is := range []bool{what.Name != "", what.Zone != "", what.Upstream != "", what.All} {
		if is {
			given++
		}
	}
	if given != 1 {
		fail(w, http.StatusBadRequest, "give one of name, zone, upstream and all")
		return
	}
	blocks := s.meant(w, what.Server)
	if blocks == nil {
		return
	}
	text := what.Name + what.Zone
	if what.All {
		text = "."
	}
	name, err := parseName(text)
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	if what.Upstream != "" {
		upstreams := []string{}
		for _, b := range blocks {
			upstreams = append(upstreams, b.upstreams()...)
		}
		if err := isOne(what.Upstream, upstreams); err != nil {
			fail(w, http.StatusNotFound, "%v", err)
			return
		}
	}
	var sum api.Forgotten
	for _, b := range blocks {
		f := b.forget(name, what.Name == "", what.Upstream)
		sum.Replies += f.Replies
		sum.Names += f.Names
		sum.Zones += f.Zones
		sum.Remembered += f.Remembered
		sum.InFront = sum.InFront || b.InFront
	}
	reply(w, sum)
}

// forget forgets a name, or with below a zone, or what an upstream has shown.
func (b *Block) forget(name []byte, below bool, upstream string) (sum api.Forgotten) {
	take := func(f pool.Forgotten) {
		sum.Replies, sum.Names, sum.Zones = sum.Replies+f.Replies, sum.Names+f.Names, sum.Zones+f.Zones
	}
	if upstream == "" {
		take(b.Pool.Forget(name, below))
		sum.Remembered = b.Memory.History().Forget(func(other []byte) bool {
			return below && wire.Below(other, name) || string(other) == string(name)
		})
		return sum
	}
	for _, m := range b.Pool.Members() {
		if api.Means(m.String(), upstream) {
			take(b.Pool.ForgetOf(m))
		}
	}
	return sum
}

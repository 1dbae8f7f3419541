package doctor

import (
	"testing"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

func TestZones(t *testing.T) {
	const at, vpn, other = "127.0.0.123:53", "[10.1.0.53%tun0]:53", "192.0.2.53:53"
	differ := api.Zone{Server: at, Zone: "example.org.", KnownBy: []api.Knower{{Upstream: vpn}, {Upstream: other}}, Differ: []string{vpn, other}}
	corp := api.Zone{Server: at, Zone: "corp.example.", KnownBy: []api.Knower{{Upstream: vpn, Answers: 41}}, Missed: []string{other}, System: []api.Domain{{Domain: "corp.example.", Link: "tun0", Upstream: vpn}}}
	lab := api.Zone{Server: at, Zone: "lab.example.", KnownBy: []api.Knower{{Upstream: vpn, Answers: 255}}, Missed: []string{other}}
	alone := api.Zone{Server: at, Zone: "vpn.example.", KnownBy: []api.Knower{{Upstream: vpn, Answers: 7}}}
	var all []scenario
	for _, w := range []struct {
		name   string
		server api.Server
		zones  []any
		want   []string
	}{
		{"nothing is known", api.Server{}, nil, nil},
		{"answers differ", api.Server{}, []any{differ}, []string{"example.org. differently | prefer order | " + vpn + " and " + other}},
		{"prefer chooses", api.Server{Prefer: "private"}, []any{differ}, nil},
		{"others see names", api.Server{}, []any{corp}, []string{"corp.example. | learn; it would have kept nearly all of 41 queries | private_links"}},
		{"names of two zones", api.Server{}, []any{corp, lab, alone}, []string{"corp.example. and lab.example. | at least 296 queries"}},
		{"learn", api.Server{Learns: true}, []any{corp, lab}, nil},
		{"nobody else was asked", api.Server{}, []any{alone}, nil},
		{"both", api.Server{}, []any{differ, lab}, []string{"differently", "at least 255"}},
	} {
		w.server.Server, w.server.Listens = at, []string{at}
		w.server.Upstreams = []api.Upstream{{Upstream: vpn}, {Upstream: other}}
		all = append(all, scenario{w.name, tree(t, nil).served(t, api.State{Servers: []api.Server{w.server}}, map[string][]any{api.Zones: w.zones}), w.want})
	}
	diagnose(t, zones, all)
}

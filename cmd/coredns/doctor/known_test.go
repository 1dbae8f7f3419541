package doctor

import (
	"errors"
	"testing"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

func TestKnown(t *testing.T) {
	named := func(words ...string) (i source.Inventory) {
		i.Source = "systemd-resolved"
		for _, w := range words {
			s, err := server.Parse(w)
			if err != nil {
				t.Fatal(err)
			}
			s.Domains = []string{"corp.example."}
			i.Named = append(i.Named, source.Named{What: s.String(), Server: s})
		}
		return i
	}
	skipped := source.Inventory{Source: "NetworkManager", Named: []source.Named{{What: "127.0.0.53:53", Skipped: "loopback"}}}
	again := named("192.168.1.1%wlan0")
	again.Named[0].Skipped = "already named"
	many := named("192.168.1.1%wlan0")
	many.Named[0].Skipped = tooMany
	var all []scenario
	for _, w := range []struct {
		name   string
		system []source.Inventory
		asked  []string
		want   []string
	}{
		{"all are asked", []source.Inventory{named("10.0.0.53%tun0", "192.168.1.1%wlan0"), again, skipped}, []string{"[10.0.0.53%tun0]:53", "[192.168.1.1%wlan0]:53"}, nil},
		{"one is not", []source.Inventory{named("10.0.0.53%tun0", "192.168.1.1%wlan0")}, []string{"[192.168.1.1%wlan0]:53"}, []string{"[10.0.0.53%tun0]:53 | links | systemd-resolved | corp.example."}},
		{"over another link", []source.Inventory{named("10.0.0.53%tun0")}, []string{"[10.0.0.53%tun1]:53"}, []string{"[10.0.0.53%tun0]:53"}},
		{"as routes lead", []source.Inventory{named("10.0.0.53%tun0")}, []string{"10.0.0.53:53"}, nil},
		{"one address on two links", []source.Inventory{named("192.168.1.1%eth0", "192.168.1.1%wlan0")}, []string{"192.168.1.1:53"}, []string{"eth0 and wlan0 | links, in place of 192.168.1.1:53"}},
		{"each over its own", []source.Inventory{named("192.168.1.1%eth0", "192.168.1.1%wlan0")}, []string{"[192.168.1.1%eth0]:53", "[192.168.1.1%wlan0]:53"}, nil},
		{"too many", []source.Inventory{many}, []string{"192.0.2.1:53"}, []string{"beyond the first 64"}},
		{"nothing is known", []source.Inventory{{Source: "NetworkManager", Err: errors.New("it does not run")}}, []string{"192.0.2.1:53"}, nil},
	} {
		state := listening("127.0.0.123:53")
		for _, a := range w.asked {
			state.Servers[0].Upstreams = append(state.Servers[0].Upstreams, api.Upstream{Upstream: a, ToldBy: []string{"Corefile"}})
		}
		m := tree(t, nil).served(t, state, nil)
		m.inventory = func() []source.Inventory { return w.system }
		all = append(all, scenario{w.name, m, w.want})
	}
	diagnose(t, systemsOwn, all)
}

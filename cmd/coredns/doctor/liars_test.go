package doctor

import (
	"testing"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// says are outcomes for made-up names, which each upstream answers so; empty: it denies them.
func says(data ...string) *interview {
	in := new(interview)
	for _, tld := range tlds {
		o := api.Outcome{Name: "x." + tld}
		for i, d := range data {
			rcode, seconds := "NXDOMAIN", 0.01
			leg := api.Leg{Upstream: resolvers[i], Seconds: &seconds, Rcode: &rcode}
			if d != "" {
				leg.Answer, leg.Data = []string{"x." + tld + " 60 IN A " + d}, &d
			}
			o.Upstreams = append(o.Upstreams, leg)
		}
		in.madeUp = append(in.madeUp, o)
	}
	return in
}

var resolvers = []string{"192.168.1.1:53", "192.0.2.53:53", "192.0.2.54:53"}

func TestLiars(t *testing.T) {
	const at = "127.0.0.123:53"
	private := api.Zone{Server: at, Zone: "lan.example.", KnownBy: []api.Knower{{Upstream: resolvers[0], Private: true}}}
	rebinding := api.Zone{Server: at, Zone: "evil.example.", KnownBy: []api.Knower{{Upstream: resolvers[1], Private: true}}}
	elsewhere := rebinding
	elsewhere.Server = ":5553"
	var all []scenario
	for _, w := range []struct {
		name  string
		in    *interview
		zones []any
		want  []string
	}{
		{"all deny", says("", "", ""), nil, nil},
		{"one answers", says("", "203.0.113.5", ""), nil, []string{resolvers[1] + " answers | bogus 203.0.113.5 | x.com. | x.net."}},
		{"two answer, each in its own way", says("203.0.113.1", "203.0.113.2"), nil, []string{"bogus 203.0.113.1", "bogus 203.0.113.2"}},
		{"a captive portal", says("10.0.0.1", "10.0.0.1", "10.0.0.1"), nil, []string{"captive portal | http://"}},
		{"a single upstream that answers", says("10.0.0.1"), nil, []string{"bogus 10.0.0.1"}},
		{"a private address from a private upstream", says(""), []any{private}, nil},
		{"one from a public upstream", says(""), []any{private, rebinding}, []string{resolvers[1] + " is public | private_from private | evil.example."}},
		{"one of another block", says(""), []any{elsewhere}, nil},
		{"nobody was asked", new(interview), nil, nil},
	} {
		state := listening(at)
		for _, r := range resolvers {
			state.Servers[0].Upstreams = append(state.Servers[0].Upstreams, api.Upstream{Upstream: r, State: "up"})
		}
		m := tree(t, nil).served(t, state, map[string][]any{api.Zones: w.zones})
		m.interviews = map[string]*interview{at: w.in}
		all = append(all, scenario{w.name, m, w.want})
	}
	diagnose(t, liars, all)
}

func TestPublic(t *testing.T) {
	for upstream, want := range map[string]bool{
		"192.0.2.53:53": true, "192.168.1.1:53": false, "127.0.0.1:5300": false, "[fe80::1%eth0]:53": false,
		"tls://192.0.2.53:853": true, "https://dns.example/dns-query": true, "[10.0.0.53%tun0]:53": false,
	} {
		if public(upstream) != want {
			t.Errorf("%s: %v", upstream, !want)
		}
	}
}

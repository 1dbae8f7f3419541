package explain

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

func to[T any](v T) *T { return &v }

const soaRecord = "example. 60 IN SOA ns.example. hostmaster.example. 1 2 3 4 30"

// Upstreams' parts.
var (
	good     = api.Leg{Seconds: to(0.012), Rcode: to("NOERROR"), Verdict: "good", Data: to("10.2.0.20, 10.2.0.21"), Why: "first good answer"}
	denies   = api.Leg{Seconds: to(0.0009), Rcode: to("NXDOMAIN"), Verdict: "nxdomain", Data: to("SOA"), Why: "no such name"}
	noData   = api.Leg{Seconds: to(0.001), Rcode: to("NOERROR"), Verdict: "nodata", Data: to("-"), Why: "no A record, without SOA"}
	fails    = api.Leg{Seconds: to(1.5), Rcode: to("SERVFAIL"), Verdict: "servfail", Data: to("-"), Why: "replied SERVFAIL, DNSSEC Bogus (the key is bad)"}
	refused  = api.Leg{Seconds: to(0.003), Verdict: "none", Why: "connection refused"}
	isSilent = api.Leg{Verdict: "none", Why: "no reply in 2s; upstream is down", Down: true}
	waiting  = api.Leg{Verdict: "none", Why: "waiting"}
	cut      = api.Leg{Seconds: to(0.002), Rcode: to("NOERROR"), Verdict: "truncated", Data: to("truncated"), Truncated: true, Why: "truncated, and TCP failed"}
	public   = api.Leg{Seconds: to(0.004), Rcode: to("NOERROR"), Verdict: "good", Data: to("192.0.2.1"), Why: "good, but not first"}
	private  = api.Leg{Seconds: to(0.003), Rcode: to("NOERROR"), Verdict: "good", Data: to("10.1.0.10"), Why: "first good answer", Private: true}
)

var upstreams = []string{"10.1.0.53%tun0", "[2001:db8:1:2::53%wg0]:53", "192.168.1.1%wlan0", "tls://9.9.9.9%dns.quad9.net:853"}

// told is an outcome: the reply of upstream winner is given, that is none if it is negative, and missing gave no
// opinion.
func told(winner int, rcode string, took float64, missing []int, legs ...api.Leg) *api.Outcome {
	o := &api.Outcome{Name: "host.example.", Type: "A", Verdict: "none", Rcode: rcode, Seconds: took, Conclusive: len(missing) == 0, Asked: "all"}
	for i, leg := range legs {
		leg.Upstream = upstreams[i]
		if leg.Winner = i == winner; leg.Winner {
			o.Upstream, o.Verdict = &upstreams[i], leg.Verdict
		}
		o.Upstreams = append(o.Upstreams, leg)
	}
	for _, i := range missing {
		o.Missing = append(o.Missing, api.Missing{Upstream: upstreams[i], Why: o.Upstreams[i].Why})
	}
	return o
}

func with(o *api.Outcome, change func(*api.Outcome)) *api.Outcome {
	change(o)
	return o
}

func samples() map[string]*api.Outcome {
	return map[string]*api.Outcome{
		"01 good": with(told(1, "NOERROR", 0.012, nil, denies, good, isSilent, refused), func(o *api.Outcome) {
			o.Answer = []string{"host.example.\t60\tIN\tA\t10.2.0.20", "host.example.\t60\tIN\tA\t10.2.0.21"}
		}),
		"02 inconclusive": with(told(0, "NXDOMAIN", 2, []int{1, 2}, denies, fails, isSilent), func(o *api.Outcome) {
			o.Authority, o.TTL = []string{soaRecord}, to(uint32(30))
		}),
		"03 nobody replies": with(told(-1, "SERVFAIL", 4, []int{0}, isSilent), func(o *api.Outcome) { o.Changed = to("none") }),
		"04 conclusive":     told(0, "NOERROR", 0.001, nil, noData),
		"05 final, and longer": with(told(0, "NOERROR", 0.001, nil, noData, isSilent), func(o *api.Outcome) {
			o.Final, o.TTL, o.LongerTTL = true, to(uint32(5)), to(uint32(30))
		}),
		"06 truncated": told(1, "NOERROR", 0.002, []int{1}, denies, cut),
		"07 failure":   told(0, "SERVFAIL", 1.5, []int{0}, fails),
		"08 differ": with(told(1, "NOERROR", 0.003, nil, public, private), func(o *api.Outcome) {
			o.Answer, o.Differ = []string{"host.example. 60 IN A 10.1.0.10"}, upstreams[:2]
			o.Preferred = &api.Preferred{Order: upstreams[0], Private: upstreams[1]}
		}),
		"09 special":   with(told(-1, "NXDOMAIN", 0, nil), func(o *api.Outcome) { o.Verdict, o.Changed = "nxdomain", to("special") }),
		"10 untrusted": with(told(-1, "NOERROR", 0.1, []int{0}, isSilent), func(o *api.Outcome) { o.Verdict, o.Changed = "bogus", to("untrusted") }),
		"11 away":      with(told(-1, "SERVFAIL", 0.1, []int{1}, denies, isSilent), func(o *api.Outcome) { o.Changed = to("away") }),
		"12 slow":      with(told(0, "NXDOMAIN", 1.5, nil, lasting(denies, 1.5), denies), func(o *api.Outcome) { o.TTL = to(uint32(5)) }),
		"13 interrupted": with(told(0, "NXDOMAIN", 1.5, []int{1}, denies, waiting), func(o *api.Outcome) {
			o.Interrupted, o.TTL = true, to(uint32(5))
		}),
		"15 the knower alone": with(told(0, "NOERROR", 0.012, nil, good, notAsked(waiting)), func(o *api.Outcome) { o.Asked = "knower" }),
		"16 kept before": with(told(0, "NOERROR", 0.012, nil, good, denies), func(o *api.Outcome) {
			o.Kept = &api.Kept{Verdict: "nxdomain", Rcode: "NXDOMAIN", Upstreams: upstreams[1:2], Since: kept, Until: kept.Add(time.Minute), Replaced: true}
		}),
		"17 still kept": with(told(0, "SERVFAIL", 1.5, []int{0}, fails), func(o *api.Outcome) {
			o.Kept = &api.Kept{Verdict: "good", Rcode: "NOERROR", Upstreams: upstreams[:2], Since: kept, Until: kept.Add(time.Minute)}
		}),
		"18 stale": with(told(0, "NXDOMAIN", 1.5, nil, denies), func(o *api.Outcome) {
			o.Kept = &api.Kept{Verdict: "good", Rcode: "NOERROR", Upstreams: upstreams[:1], Since: kept, Until: kept.Add(time.Second), Stale: true}
		}),
		"14 interrupted early": with(told(-1, "SERVFAIL", 1.5, []int{0}, waiting), func(o *api.Outcome) { o.Interrupted, o.Changed = true, to("none") }),
	}
}

// kept is when a reply was that the cache has.
var kept = time.Date(2026, 11, 30, 12, 4, 31, 0, time.Local)

func lasting(leg api.Leg, took float64) api.Leg { leg.Seconds = &took; return leg }

func notAsked(leg api.Leg) api.Leg { leg.Unasked, leg.Why = true, "not asked"; return leg }

// What is told fits the terminal, and says the outcome first.
func TestText(t *testing.T) {
	all := samples()
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, width := range []int{0, 60, 80, 120} {
		var screens strings.Builder
		for _, name := range names {
			o := all[name]
			lines := Text(o, kept.Add(time.Minute), show.Screen{Width: width})
			if !strings.HasPrefix(lines[0], "host.example. A: ") {
				t.Errorf("%s: begins with %q", name, lines[0])
			}
			for _, line := range lines {
				if width > 0 && len(line) > width {
					t.Errorf("%s: %d columns: %q", name, len(line), line)
				}
			}
			plain := strings.Join(lines, "\n") + "\n"
			painted := strings.Join(Text(o, kept.Add(time.Minute), show.Screen{Width: width, Colour: true}), "\n") + "\n"
			if painted == plain || testkit.Shown(t, painted, 1000) != plain {
				t.Errorf("%s: colours change more than colours:\n%q", name, painted)
			}
			fmt.Fprintf(&screens, "== %s\n%s\n", name, plain)
		}
		testkit.Golden(t, filepath.Join("testdata", fmt.Sprintf("text%d.txt", width)), screens.String())
	}
}

// While upstreams are waited for, the table shows for how long.
func TestPending(t *testing.T) {
	o := told(-1, "", 0, nil, denies, waiting, isSilent)
	got := strings.Join(show.Legs(o.Upstreams, true, 2345_000_000).Lines(show.Screen{}), "\n")
	want := `
  UPSTREAM                     TIME  REPLY     WHY
  10.1.0.53%tun0             0.9 ms  NXDOMAIN  no such name
  [2001:db8:1:2::53%wg0]:53   2.3 s  -         waiting
  192.168.1.1%wlan0           2.3 s  -         no reply in 2s; upstream is down`
	if got != want[1:] {
		t.Errorf("got\n%s\nwant%s", got, want)
	}
}

// Programs look for a name without a dot in search domains, which this command does not.
func TestSearchHint(t *testing.T) {
	for _, tc := range []struct {
		name    string
		domains []string
		want    string
	}{
		{"wiki.", nil, ""},
		{".", []string{"corp.example"}, ""},
		{"wiki.corp.example.", []string{"corp.example"}, ""},
		{"wiki.", []string{"corp.example"}, "Ask for it there: dnsmus explain wiki.corp.example"},
		{"wiki.", []string{"corp.example.", "lab.example"}, "dnsmus explain wiki.corp.example, dnsmus explain wiki.lab.example"},
	} {
		if got := searchHint(tc.name, tc.domains, "dnsmus explain"); tc.want == "" && got != "" || !strings.HasSuffix(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// A disk that is full is not silence.
func TestOutputFails(t *testing.T) {
	server := resolver(t, nxdomain)
	r, w := io.Pipe()
	r.Close()
	for _, args := range [][]string{{"-h"}, {"x", "@" + server.String()}, {"x", "--json", "@" + server.String()}} {
		if status, problems := on(t, show.Screen{Writer: w}, args...); status != 74 || problems == "" {
			t.Errorf("%v: status %d, problems %q", args, status, problems)
		}
	}
}

package known

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// wireName is a name in wire format.
func wireName(name string) []byte {
	var b []byte
	for label := range strings.SplitSeq(strings.Trim(name, "."), ".") {
		if label != "" {
			b = append(append(b, byte(len(label))), label...)
		}
	}
	return append(b, 0)
}

// What follows from silences and replies, in order, a second apart: "x" is a name without
// reply, "?x" one that was asked to probe it, "!x" one with a reply, and "+" before these is in
// the same moment as the one before.
func TestZones(t *testing.T) {
	ip6 := func(host string) string {
		return strings.Join(strings.Split(host, ""), ".") + ".0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
	}
	for _, tc := range []struct {
		events     string
		yes, no    string // for which names it is unresponsive then
		told, asks string // what was reported, and which names were to be asked for
	}{
		{events: "a.local b.local ?local", yes: "a.local c.local x.y.local local", no: "a.example local.example", told: "local", asks: "local"},
		{events: "a.local b.local", no: "a.local b.local local", asks: "local"},
		{events: "a.local b.local ?local !c.local", no: "a.local c.local", told: "local -local", asks: "local"},
		{events: "a.local b.local ?local !c.example", yes: "c.local", told: "local", asks: "local"},
		{events: "a.local !b.local c.local ?local", no: "c.local"},
		{events: "a.local b.local !local", no: "a.local c.local local", asks: "local"},
		// One slow name is no sign of its zone; for itself it is.
		{events: "a.local a.local a.local", yes: "a.local", no: "b.local local x.a.local", told: "a.local"},
		{events: "a.local a.local a.local !a.local", no: "a.local", told: "a.local -a.local"},
		{events: "a.local a.local !a.local a.local a.local", no: "a.local"},
		{events: "a.local +a.local +a.local a.local", no: "a.local"},
		{events: "a.local +b.local +c.local", no: "a.local d.local"},
		{events: "slow.x.example slow.x.example ?x.example", no: "x.example fast.x.example"},
		// A name that has names below it.
		{events: "x.example x.example x.example", yes: "x.example", no: "www.x.example", told: "x.example"},
		{events: "x.example a.x.example b.x.example", yes: "x.example c.x.example", no: "example", told: "x.example"},
		// The zone's own name is answered, as nothing below it is.
		{events: "a.x.example b.x.example !x.example c.x.example d.x.example !x.example e.x.example", yes: "a.x.example f.x.example", no: "x.example", told: "x.example", asks: "x.example x.example"},
		{events: "a.x.example b.x.example ?x.example !x.example", no: "a.x.example x.example", told: "x.example -x.example", asks: "x.example"},
		// Zones above.
		{events: "a.b.example c.d.example ?example", yes: "x.example x.y.z.example", told: "example", asks: "example"},
		{events: "a.b.example c.b.example ?b.example", yes: "x.b.example", no: "x.example", told: "b.example", asks: "b.example"},
		{events: "a.b.example c.d.example !e.example ?example", no: "a.b.example", asks: "example"},
		{events: "1.0.168.192.in-addr.arpa 2.0.168.192.in-addr.arpa ?0.168.192.in-addr.arpa", yes: "3.0.168.192.in-addr.arpa", no: "1.1.168.192.in-addr.arpa", told: "0.168.192.in-addr.arpa", asks: "0.168.192.in-addr.arpa"},
		{events: "1.0.168.192.in-addr.arpa 2.1.168.192.in-addr.arpa ?168.192.in-addr.arpa", yes: "3.2.168.192.in-addr.arpa", no: "1.1.10.in-addr.arpa", told: "168.192.in-addr.arpa", asks: "168.192.in-addr.arpa"},
		{events: ip6("1000000000000001") + " " + ip6("2000000000000001") + " ?" + ip6("")[1:], yes: ip6("3000000000000001"), told: ip6("")[1:], asks: ip6("")[1:]},
		// The root is no zone.
		{events: "a b c d e f", no: "a g"},
	} {
		var z Zones
		var told, asks []string
		now := instant.Now()
		text := func(list []string, sign string) (names []string) {
			for _, zone := range list {
				var labels []string
				for len(zone) > 1 {
					n := 1 + int(zone[0])
					labels, zone = append(labels, zone[1:n]), zone[n:]
				}
				names = append(names, sign+strings.Join(labels, "."))
			}
			return names
		}
		for event := range strings.FieldsSeq(tc.events) {
			event, together := strings.CutPrefix(event, "+")
			if !together {
				now = now.Add(time.Second)
			}
			if name, is := strings.CutPrefix(event, "!"); is {
				told = append(told, text(z.Answered(wireName(name)), "-")...)
			} else if name, is := strings.CutPrefix(event, "?"); is {
				if z.OwnUnanswered(wireName(name)) {
					told = append(told, name)
				}
			} else {
				became, probe := z.Unanswered(wireName(event), now, time.Second)
				told, asks = append(told, text(became, "")...), append(asks, text(probe, "")...)
			}
		}
		for want, names := range map[bool]string{true: tc.yes, false: tc.no} {
			for name := range strings.FieldsSeq(names) {
				if z.Unresponsive(wireName(name)) != want {
					t.Errorf("%s: unresponsive for %s: %v", tc.events, name, !want)
				}
			}
		}
		if !slices.Equal(told, strings.Fields(tc.told)) || !slices.Equal(asks, strings.Fields(tc.asks)) {
			t.Errorf("%s: told %q, asks for %q", tc.events, told, asks)
		}
	}
}

// The memory is bounded, whatever is asked; what is known stays, and what is not enough goes.
func TestZonesBound(t *testing.T) {
	var z Zones
	now := instant.Now()
	for range enoughOfName {
		now = now.Add(time.Second)
		z.Unanswered(wireName("known.example"), now, time.Second)
	}
	for i := range 1000 {
		now = now.Add(time.Millisecond)
		z.Unanswered(wireName(fmt.Sprintf("host%d.zone%d.a.b.c.tld%d", i, i, i)), now, 0)
		if len(z) > MaxZones {
			t.Fatalf("%d zones", len(z))
		}
	}
	if !z.Unresponsive(wireName("known.example")) {
		t.Error("what was known is forgotten")
	}
	z.Forget(now.Add(zoneMemory + time.Second))
	if len(z) != 1 || !z.Unresponsive(wireName("known.example")) {
		t.Errorf("%d zones stay", len(z))
	}
	for i := range 2 * MaxZones { // each is enough
		for range enoughOfName {
			now = now.Add(time.Second)
			z.Unanswered(wireName(fmt.Sprintf("host%d", i)), now, time.Second)
		}
	}
	if len(z) != MaxZones {
		t.Errorf("%d zones in which it is unresponsive", len(z))
	}
	if n := testing.AllocsPerRun(100, func() { z.Unresponsive(wireName("www.example")) }); n > 3 { // those of wireName
		t.Errorf("%v allocations", n)
	}
}

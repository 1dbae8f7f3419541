package control

import (
	"fmt"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/history"
	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// about is what there is to say of an upstream's state.
func about(u *api.Upstream, s *upstream.Standing, t server.Transport) string {
	var parts []string
	say := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch u.State {
	case "gone":
		say("its interface %s is down or missing since %s", *u.Link, history.Clock(u.Since))
	case "down":
		over := "UDP and TCP"
		if t.Encrypted() {
			over = strings.ToUpper(t.String())
		}
		say("silent since %s over %s", history.Clock(u.Since), over)
		switch {
		case u.Link == nil:
		case s.Link == link.Unbound:
			say("%s has no route to it, so the routing table decides", *u.Link)
		default:
			say("%s is up and leads there", *u.Link)
		}
		say("probed each second while somebody asks")
		if u.LastError != nil && !u.LastError.At.Before(u.Since) {
			say("last error: %s", u.LastError.Text)
		}
	default:
		if u.Link != nil && s.Link == link.Unbound {
			say("its interface %s has no route to it, so the routing table decides", *u.Link)
		}
		if !t.Encrypted() && s.OverStream && s.UDP.Failed {
			say("UDP brings nothing, so it is asked over TCP")
		}
		if !t.Encrypted() && s.Stream.Failed {
			say("TCP brings nothing, so long answers are cut off")
		}
		if u.EDNSUntil != nil {
			say("it does not take EDNS")
		}
		if u.State == "failing" && u.LastError != nil {
			say("the last query to it failed at %s: %s", history.Clock(u.LastError.At), u.LastError.Text)
		}
		if n := u.Hour.Filtered; n > 0 {
			say("it filters names: %d of its replies in the last hour say so", n)
		}
		if n := u.Hour; n.NoOpinion > 0 && n.NoOpinion >= n.Asked*9/10 {
			say("it refuses nearly everything: while it is listed, no denial is certain")
		}
		if n := u.Hour; n.Failed > 0 && n.Failed >= n.Asked/2 {
			say("most queries to it fail")
			if u.LastError != nil && u.State != "failing" {
				say("last error at %s: %s", history.Clock(u.LastError.At), u.LastError.Text)
			}
		}
	}
	if len(u.UnresponsiveTypes) > 0 {
		say("it never answers questions of type %s", strings.Join(u.UnresponsiveTypes, ", "))
	}
	if len(u.UnresponsiveZones) > 0 {
		say("it never answers questions in %s", strings.Join(u.UnresponsiveZones, ", "))
	}
	return strings.Join(parts, "; ")
}

// notes are what follows of an upstream's state for names.
func notes(u *api.Upstream, known []*soleZone) (notes []string) {
	if u.State == "up" || len(known) == 0 {
		return nil
	}
	first := known[0]
	text := fmt.Sprintf("Names of %s cannot be answered while %s is %s: it alone has answered there (%s)", first.name, u.Upstream, u.State, history.Answers(first.answers))
	if n := len(known) - 1; n > 0 {
		text += fmt.Sprintf(", and in %d other zones", n)
	}
	return []string{text + "."}
}

// unusable says which sources of upstreams cannot be used.
func (b *Block) unusable() (notes []string) {
	if b.Unusable == nil {
		return nil
	}
	for _, why := range b.Unusable() {
		notes = append(notes, "A source of upstreams cannot be used: "+why+".")
	}
	return notes
}

// differences say that answers in zones differ.
func (b *Block) differences(now time.Time) []string {
	var first *pool.Zone
	n := 0
	b.Pool.Zones(now, func(z pool.Zone) bool {
		if z.Differ != 0 && len(z.Name) > 1 {
			if n++; first == nil || z.Last.After(first.Last) {
				first = &z
			}
		}
		return true
	})
	if first == nil {
		return nil
	}
	line := b.zone(first)
	text := fmt.Sprintf("Answers in %s differ: those of %s", line.Zone, printable.And(line.Differ))
	if n > 1 {
		text += fmt.Sprintf(", and in %d other zones", n-1)
	}
	return []string{text + ". Which one clients get may change; the option prefer chooses."}
}

package control

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/history"
	"github.com/dnsmus/dnsmus/plugin/outcome"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

// look is how often it is looked whether more has come of a race that is shown.
const look = 20 * time.Millisecond

func (s *Socket) explain(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	name, qtype, err := parseQuestion(q.Get(api.ParamName), q.Get(api.ParamType))
	if qtype == 0 {
		qtype = dns.TypeA
	}
	switch {
	case err != nil:
		fail(w, http.StatusBadRequest, "%v", err)
		return
	case name == nil:
		fail(w, http.StatusBadRequest, "the parameter name is missing")
		return
	case qtype == dns.TypeOPT || qtype >= dns.TypeTKEY && qtype <= dns.TypeAXFR:
		fail(w, http.StatusBadRequest, "%s is not a type that resolvers can be asked for", dns.Type(qtype))
		return
	}
	blocks := s.meant(w, q.Get(api.ParamServer))
	if i := slices.IndexFunc(blocks, func(b *Block) bool { return strings.EqualFold(b.Name, q.Get(api.ParamServer)) }); i >= 0 {
		blocks = blocks[i : i+1] // where others listen as well
	}
	switch {
	case blocks == nil:
		return
	case len(blocks) > 1:
		fail(w, http.StatusNotFound, "several server blocks share the socket: %s; say which one is meant", printable.And(s.names()))
		return
	}
	b, text := blocks[0], history.Presentation(name)
	for _, zone := range b.Values.Except {
		if dns.IsSubDomain(zone, text) {
			fail(w, http.StatusBadRequest, "except leaves %s to the next plugin", text)
			return
		}
	}
	if !s.explains.Allow() {
		fail(w, http.StatusTooManyRequests, "at most %d names are explained a second; ask again in a moment", maxExplains)
		return
	}
	race, err := outcome.New(b.Pool, b.Values, dns.Question{Name: text, Qtype: qtype, Qclass: dns.ClassINET})
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	out := http.NewResponseController(w)
	out.SetReadDeadline(time.Time{})
	out.SetWriteDeadline(time.Now().Add(b.Values.Rules.Timeout*2 + replyTime))
	lines(w)
	shown := explaining{w: w, out: out, server: b.Name}
	done := make(chan api.Outcome, 1)
	go func() { done <- race.Ask(context.Background()) }() // as for a client, who may go away
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case o := <-done:
			shown.more(&o, true)
			shown.line(api.Explained{Event: api.LineOutcome, Outcome: &o})
			return
		case <-tick.C:
			if o, over, _ := race.Now(); shown.more(&o, over) != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// explaining is a race that is shown as it goes on.
type explaining struct {
	w      http.ResponseWriter
	out    *http.ResponseController
	server string
	legs   []api.Leg // as they were shown
	over   bool      // and that it is over was
}

// more shows what has come since the last call.
func (e *explaining) more(o *api.Outcome, over bool) error {
	if len(o.Upstreams) > len(e.legs) || e.legs == nil {
		e.legs = o.Upstreams
		if err := e.line(api.Explained{Event: api.LineLegs, Legs: e.legs}); err != nil {
			return err
		}
	}
	for i := range o.Upstreams {
		if l := &o.Upstreams[i]; l.Seconds != nil && !reflect.DeepEqual(*l, e.legs[i]) {
			if err := e.line(api.Explained{Event: api.LineLeg, Leg: l, Index: i}); err != nil {
				return err
			}
		}
	}
	e.legs = o.Upstreams
	if over && !e.over {
		e.over = true
		return e.line(api.Explained{Event: api.LineOver, Outcome: o})
	}
	return nil
}

func (e *explaining) line(l api.Explained) error {
	l.Server = e.server
	if err := write(e.w, l); err != nil {
		return err
	}
	return e.out.Flush()
}

package handler

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// capture is what a resolver of the lab has sent.
type capture struct {
	mu  sync.Mutex
	all []captured
}

type captured struct {
	network string
	raw     []byte
}

// captures are those of all resolvers, by their addresses.
var captures sync.Map

func (c *capture) add(network string, raw []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, captured{network, slices.Clone(raw)})
}

// shows reports whether the resolver of that address has sent what a leg is told to be.
func shows(at netip.AddrPort, leg *api.Leg) bool {
	c, _ := captures.Load(at)
	sent := c.(*capture)
	sent.mu.Lock()
	defer sent.mu.Unlock()
	return slices.ContainsFunc(sent.all, func(s captured) bool {
		m := new(dns.Msg)
		return (s.network == "tcp") == leg.Stream && m.Unpack(s.raw) == nil && dns.RcodeToString[m.Rcode] == *leg.Rcode &&
			m.Truncated == leg.Truncated && len(m.Answer) == len(leg.Answer) && len(m.Ns) == len(leg.Authority)
	})
}

// inspection holds what is told of each race against what its client gets, and against what the
// resolvers sent.
type inspection struct {
	h         *Handler
	upstreams []netip.AddrPort
	watch     *watcher
}

// serveInspected is serve with a control socket, from which events are read.
func serveInspected(t *testing.T, upstreams []netip.AddrPort, next plugin.Handler, change ...func(*Config)) (addr string, in *inspection) {
	t.Helper()
	cfg := serving(upstreams, append(change, func(c *Config) {
		c.Control, c.Socket = true, filepath.Join(testkit.SocketDir(t), "control")
	})...)
	h := started(cfg)
	h.Next = next
	addr = serveHandler(t, h)
	return addr, &inspection{h, upstreams, newWatcher(t, h, "host.example")}
}

// check is called after each query, with what the client got. A nil inspection checks nothing.
func (in *inspection) check(t *testing.T, network string, r *dns.Msg) {
	t.Helper()
	if in == nil {
		return
	}
	var e api.RaceEvent
	in.watch.next(t, api.EventRace)
	if err := json.Unmarshal(in.watch.lines.Bytes(), &e); err != nil {
		t.Fatal(err)
	}
	fails := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s: %s\n%s\nthe client got\n%v", network, fmt.Sprintf(format, args...), in.watch.lines.Text(), r)
	}
	if dns.Type(r.Question[0].Qtype).String() != e.Type || r.Question[0].Name != e.Name {
		fails("it is about another question")
	}
	if e.Verdict == "truncated" && network == "tcp" { // R8
		if r.Rcode != dns.RcodeServerFailure {
			fails("the reply was cut off")
		}
	} else if e.Rcode != dns.RcodeToString[r.Rcode] || len(e.Answer) != len(r.Answer) || len(e.Authority) != len(r.Ns) {
		fails("the client got something else")
	}
	if len(e.Upstreams) != len(in.upstreams) {
		fails("there are %d upstreams", len(in.upstreams))
	}
	for i := range e.Upstreams {
		leg := &e.Upstreams[i]
		if leg.Upstream != in.upstreams[i].String() || leg.Winner != (e.Upstream != nil && *e.Upstream == leg.Upstream) {
			fails("upstream %d is not that, or not the winner", i)
		}
		if (leg.Rcode != nil) != (leg.Verdict != "none") || leg.Rcode != nil && !shows(in.upstreams[i], leg) {
			fails("%s has not replied so", leg.Upstream)
		}
		if leg.Winner && (leg.Verdict != e.Verdict || *leg.Rcode != e.Rcode) {
			fails("the winner's reply is another one")
		}
	}
	in.remembered(t, &e, fails)
}

// remembered checks that the same is remembered, if it is no good answer.
func (in *inspection) remembered(t *testing.T, e *api.RaceEvent, fails func(string, ...any)) {
	t.Helper()
	if e.Verdict == "good" {
		return
	}
	all := historyOf(t, in.h, "name="+e.Name+"&type="+e.Type)
	if len(all) == 0 {
		fails("it is not remembered")
		return
	}
	m := &all[0]
	same := m.ID == e.ID && m.Verdict == e.Verdict && m.Rcode == e.Rcode && m.Conclusive == e.Conclusive &&
		(m.Upstream == nil) == (e.Upstream == nil) && (e.Upstream == nil || *m.Upstream == *e.Upstream) &&
		len(m.Missing) == len(e.Missing) && m.Why.Text != "" && len(m.Upstreams) == len(e.Upstreams)
	for i := 0; same && i < len(e.Upstreams); i++ {
		a, b := &m.Upstreams[i], &e.Upstreams[i]
		same = a.Upstream == b.Upstream && a.Verdict == b.Verdict && a.Winner == b.Winner && a.Stream == b.Stream && a.Late == b.Late &&
			(a.Rcode == nil) == (b.Rcode == nil) && (a.Rcode == nil || *a.Rcode == *b.Rcode)
	}
	if !same {
		fails("remembered is %+v", *m)
	}
}

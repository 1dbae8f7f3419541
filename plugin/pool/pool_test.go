package pool

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// resolver answers with one address, or denies if there is none.
func resolver(t *testing.T, address string) server.Server {
	t.Helper()
	return server.Plain(testkit.Handle(t, func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if address == "" {
			m.Rcode = dns.RcodeNameError
		} else if rr, err := dns.NewRR(q.Question[0].Name + " 60 IN A " + address); err == nil {
			m.Answer = []dns.RR{rr}
		}
		w.WriteMsg(m)
	}))
}

func newPool(t *testing.T, servers ...server.Server) *Pool {
	t.Helper()
	v := option.Default()
	v.Rules.Timeout, v.Patience = testkit.Patience, testkit.Patience
	p := New(Config{Values: v})
	p.Replace(servers)
	t.Cleanup(p.Close)
	return p
}

// query is a Query that notes what it read.
type query struct {
	msg  []byte
	read int
}

func ask(t *testing.T, name string) *query {
	t.Helper()
	msg, err := new(dns.Msg).SetQuestion(name, dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	return &query{msg: msg}
}

func (q *query) Plain() *upstream.Query     { return &upstream.Query{Msg: q.msg} }
func (q *query) Encrypted() *upstream.Query { return q.Plain() }
func (q *query) Detached() Query            { return &query{msg: q.msg} }

func (q *query) Named(name string, qtype uint16) (Query, error) {
	m := new(dns.Msg)
	if err := m.Unpack(q.msg); err != nil {
		return nil, err
	}
	m.Question[0].Name, m.Question[0].Qtype = name, qtype
	msg, err := m.Pack()
	return &query{msg: msg}, err
}

func (q *query) Read(reply []byte) error {
	q.read++
	return new(dns.Msg).Unpack(reply)
}

func TestAsk(t *testing.T) {
	p := newPool(t, resolver(t, ""), resolver(t, "192.0.2.1"))
	q := ask(t, "host.example.")
	var legs []race.LegReport
	out, first := p.Ask(q, func(a *Race) { legs = a.Legs() })
	if out.Verdict != race.Good || out.Leg != 1 || !first || q.read != 1 || out.Took <= 0 {
		t.Errorf("%+v, first %v, read %d times", out, first, q.read)
	}
	if len(legs) != 2 || legs[1].Verdict != race.Good {
		t.Errorf("it was shown %+v", legs)
	}
}

// A good answer that cannot be read is none: the next best is given.
func TestAskUnreadable(t *testing.T) {
	p := newPool(t, server.Plain(testkit.Resolver(t, func(_ string, msg []byte, send func([]byte)) {
		msg[2], msg[7] = msg[2]|0x80, 1
		send(append(msg, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 3, 192, 0, 2)) // an address of three bytes
	})), resolver(t, ""))
	q := ask(t, "host.example.")
	out, _ := p.Ask(q, nil)
	if out.Leg != 1 || out.Verdict != race.NXDomain || !errors.Is(out.Errs[0], race.ErrUnreadable) {
		t.Errorf("%+v", out)
	}
}

// R9: with prefer or private_from, upstreams are trusted differently, so that none sees the port
// from which another is asked. Without it a race leaves from one port.
func TestR9OwnPorts(t *testing.T) {
	for what, set := range map[string]func(*option.Values){
		"":               func(*option.Values) {},
		"prefer order":   func(v *option.Values) { v.Prefer = option.Order },
		"prefer private": func(v *option.Values) { v.Prefer = option.Private },
		"private_from":   func(v *option.Values) { v.PrivateFrom.VPN = true },
	} {
		var from [2]chan int
		var servers []server.Server
		for i := range from {
			from[i] = make(chan int, 100)
			servers = append(servers, server.Plain(testkit.Handle(t, func(w dns.ResponseWriter, q *dns.Msg) {
				from[i] <- w.RemoteAddr().(*net.UDPAddr).Port
				w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeNameError))
			})))
		}
		v := option.Default()
		set(&v)
		p := New(Config{Values: v})
		p.Replace(servers)
		t.Cleanup(p.Close)
		for range 20 {
			p.Ask(ask(t, "host.example."), nil)
			if a, b := <-from[0], <-from[1]; (a == b) != (what == "") {
				t.Errorf("%s: asked from the ports %d and %d", what, a, b)
			}
		}
	}
}

// Upstreams that stay keep what is known about them; others come and go.
func TestReplace(t *testing.T) {
	plain := func(s string) server.Server { return server.Plain(netip.MustParseAddrPort(s)) }
	one, two, three := plain("192.0.2.1:53"), plain("192.0.2.2:53"), plain("192.0.2.3:53")
	p := newPool(t, one, two)
	stays := p.Members()[1]
	added, removed := p.Replace([]server.Server{three, two})
	if len(added) != 1 || !added[0].Server.Equal(three) || len(removed) != 1 || !removed[0].Server.Equal(one) {
		t.Errorf("added %v, removed %v", added, removed)
	}
	if set := p.Members(); len(set) != 2 || set[0] != added[0] || set[1] != stays {
		t.Errorf("members are %v", set)
	}
	if added, removed = p.Replace([]server.Server{three, two}); len(added)+len(removed) > 0 {
		t.Errorf("nothing changed, and %v came, %v went", added, removed)
	}
}

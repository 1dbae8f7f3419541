package handler

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/outcome"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// virtual is a network in virtual time. Streams can be opened there if it takes them.
type virtual struct {
	takesTCP  bool
	dropsTCP  bool // a stream that is dialled is not refused at once
	mu        sync.Mutex
	resolvers map[netip.AddrPort]*knows
}

// knows is a resolver: it knows the addresses of some names, and denies all others.
type knows struct {
	at server.Server

	mu      sync.Mutex
	delay   time.Duration
	ttl     uint32            // of answers
	soa     uint32            // of denials
	long    int               // so many records has the answer to a question for TXT
	names   map[string]string // the address of each; "SERVFAIL" for what fails, "silence" for what has no reply
	silent  bool
	says    func(query *dns.Msg) *dns.Msg // instead, unless it is nil
	queries int
}

// resolver adds a resolver to the network. Its names are written "NAME ADDRESS".
func (v *virtual) resolver(addr string, delay time.Duration, names ...string) *knows {
	k := &knows{at: server.Plain(netip.MustParseAddrPort(addr + ":53")), delay: delay, ttl: 3600, soa: 1800}
	k.know(names...)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.resolvers == nil {
		v.resolvers = make(map[netip.AddrPort]*knows)
	}
	v.resolvers[k.at.Addr] = k
	return k
}

// know has the resolver know these names and no others.
func (k *knows) know(names ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.names = make(map[string]string)
	for _, name := range names {
		name, address, _ := strings.Cut(name, " ")
		k.names[name+"."] = address
	}
}

func (k *knows) be(silent bool) { k.set(func() { k.silent = silent }) }

// set changes how the resolver replies.
func (k *knows) set(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change()
}

// asked is how many queries came.
func (k *knows) asked() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.queries
}

// reply is what the resolver says, nil is nothing, and how long it takes.
func (k *knows) reply(q *dns.Msg) (m *dns.Msg, after time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.replyLocked(q), k.delay
}

func (k *knows) replyLocked(q *dns.Msg) *dns.Msg {
	k.queries++
	if k.says != nil {
		return k.says(q)
	}
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	name := strings.ToLower(q.Question[0].Name)
	address, known := k.names[name]
	switch {
	case k.silent, address == "silence":
		return nil
	case address == "SERVFAIL":
		m.Rcode = dns.RcodeServerFailure
		return m
	case q.Question[0].Qtype == dns.TypeTXT && k.long > 0:
		for i := range k.long {
			m.Answer = append(m.Answer, rr(fmt.Sprintf("%s 60 IN TXT %d", q.Question[0].Name, i)))
		}
		return m
	case known && q.Question[0].Qtype == dns.TypeA:
		m.Answer = []dns.RR{rr(fmt.Sprintf("%s %d IN A %s", q.Question[0].Name, k.ttl, address))}
		return m
	case !known && name != ".":
		m.Rcode = dns.RcodeNameError
	}
	m.Ns = []dns.RR{rr(fmt.Sprintf("example. %d IN SOA ns.example. hostmaster.example. 1 2 3 4 %[1]d", k.soa))}
	return m
}

func (v *virtual) listen(_ bool, received udp.Receiver) (udp.Conn, error) {
	return &virtualConn{v, received}, nil
}

func (v *virtual) dial(ctx context.Context, to udp.Peer) (net.Conn, error) {
	if v.takesTCP {
		return v.stream(to.Addr), nil
	}
	if v.dropsTCP {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, net.ErrClosed
}

// stream is a connection to a resolver of the network.
func (v *virtual) stream(to netip.AddrPort) net.Conn {
	v.mu.Lock()
	k := v.resolvers[to]
	v.mu.Unlock()
	client, server := net.Pipe()
	go func() {
		conn := &dns.Conn{Conn: server}
		defer conn.Close()
		for {
			query, err := conn.ReadMsg()
			if err != nil {
				return
			}
			if m, after := k.reply(query); m != nil {
				time.AfterFunc(after, func() { conn.WriteMsg(m) })
			}
		}
	}()
	return client
}

type virtualConn struct {
	network  *virtual
	received udp.Receiver
}

func (c *virtualConn) Send(packets []udp.Packet) {
	for _, p := range packets {
		c.network.mu.Lock()
		k := c.network.resolvers[p.Peer.Addr]
		c.network.mu.Unlock()
		query := new(dns.Msg)
		if err := query.Unpack(p.Msg); err != nil {
			panic(err)
		}
		if k == nil {
			continue
		}
		m, after := k.reply(query)
		if m == nil {
			continue
		}
		msg, err := m.Pack()
		if err != nil {
			panic(err)
		}
		peer := p.Peer
		time.AfterFunc(after, func() { c.received([]udp.Packet{{Peer: peer, Msg: msg}}) })
	}
}

func (c *virtualConn) Drops() uint64 { return 0 }
func (c *virtualConn) Close()        {}

// keeping is a handler in virtual time that keeps replies.
type keeping struct {
	*Handler
	t *testing.T
}

// keeps returns one that asks these resolvers, of a network.
func (v *virtual) keeps(t *testing.T, change func(*option.Values), resolvers ...*knows) keeping {
	t.Helper()
	values := option.Default()
	values.Cache = 10_000
	if change != nil {
		change(&values)
	}
	h := New(Config{Upstreams: addresses(resolvers...), Values: values})
	c := poolConfig(values)
	c.Ports, c.Dial = ports.Over(v.listen), v.dial
	h.pool = pool.New(c)
	h.Start()
	return keeping{h, t}
}

func addresses(resolvers ...*knows) (list []server.Server) {
	for _, k := range resolvers {
		list = append(list, k.at)
	}
	return list
}

// list makes these the upstreams.
func (k keeping) list(resolvers ...*knows) { replace(k.pool, addresses(resolvers...)) }

// ask asks as a client on UDP does.
func (k keeping) ask(m *dns.Msg) *dns.Msg {
	k.t.Helper()
	w := new(wireWriter)
	if _, err := k.ServeDNS(k.t.Context(), request.NewScrubWriter(m, w), m); err != nil && w.got == nil {
		k.t.Errorf("%s: %v", m.Question[0].Name, err)
		return new(dns.Msg)
	}
	r := new(dns.Msg)
	if err := r.Unpack(w.got); err != nil {
		k.t.Errorf("%s: %v", m.Question[0].Name, err)
	}
	return r
}

// gets is what a client gets that asks for the address of a name: the address or the rcode.
func (k keeping) gets(name string) string {
	k.t.Helper()
	return short(k.ask(question(name+".", dns.TypeA)))
}

// short is the address in a reply, or its rcode.
func short(r *dns.Msg) string {
	if len(r.Answer) == 0 {
		return dns.RcodeToString[r.Rcode]
	}
	return r.Answer[0].(*dns.A).A.String()
}

// allGet is what so many clients get that ask at once: each that is different, sorted.
func (k keeping) allGet(clients int, name string) string {
	k.t.Helper()
	got := make([]string, clients)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() { got[i] = k.gets(name) })
	}
	all.Wait()
	slices.Sort(got)
	return strings.Join(slices.Compact(got), " ")
}

// inVirtualTime runs a test with a network of its own.
func inVirtualTime(t *testing.T, f func(t *testing.T, v *virtual)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(t, new(virtual))
		time.Sleep(time.Minute) // until all is closed
	})
}

// R25: what is told and remembered of a reply that was kept names its giver, and not who denied the
// name meanwhile.
func TestR25StaleGiver(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		denies, knows := v.resolver("192.0.2.1", time.Millisecond), v.resolver("192.0.2.2", time.Millisecond, "git.corp.example 10.2.0.20")
		values := option.Default()
		values.Cache, values.Control = 100, false
		h := New(Config{Upstreams: addresses(denies, knows), Values: values})
		c := poolConfig(values)
		c.Ports, c.Dial = ports.Over(v.listen), v.dial
		stale := 0
		c.Watched = func() bool { return false }
		c.Over = func(told pool.Told) bool {
			if told.Stale == nil {
				return false
			}
			stale++
			q := dns.Question{Name: "git.corp.example.", Qtype: dns.TypeA, Qclass: dns.ClassINET}
			o := outcome.Of(&values, q, told.Result, told.Among(), told.Race.Legs())
			if o.Upstream == nil || *o.Upstream != knows.at.String() {
				t.Errorf("it is said to be by %v", o.Upstream)
			}
			r := remember(&told, pool.NameOf(told.Question), values.NegativeTTL)
			for i := range o.Upstreams {
				if o.Upstreams[i].Winner || r.Legs[i].Winner {
					t.Errorf("%s is marked", o.Upstreams[i].Upstream)
				}
			}
			return false
		}
		h.pool = pool.New(c)
		h.Start()
		defer h.Stop()
		k := keeping{h, t}
		k.gets("git.corp.example")
		time.Sleep(time.Hour + time.Second)
		knows.be(true)
		k.gets("other.example")
		if got := k.gets("git.corp.example"); got != "10.2.0.20" || stale != 1 {
			t.Errorf("the client got %s, of %d that were kept", got, stale)
		}
	})
}

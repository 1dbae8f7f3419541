//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// The world of scenario "world": the resolvers of two companies and of a provider. All
// know the public names; each company knows its own, and has private addresses for
// some public ones. They are listed in this order.
const (
	companyA = iota
	companyB
	provider
	resolvers
)

// Delays of their replies, to which each adds up to a quarter.
var worldDelays = [resolvers]time.Duration{9 * time.Millisecond, 12 * time.Millisecond, 4 * time.Millisecond}

// questionKind says what is asked, and what is right.
type questionKind int

const (
	publicName questionKind = iota
	ownName                 // of a company's inner zone
	splitName               // public, and private for company A
	noRecord                // AAAA of a company's host without one
	noName                  // of a public zone
	questionKinds
)

// inner are the companies' zones; the last one can move.
var inner = []string{"corp.alpha.example.", "intra.beta.example.", "lab.alpha.example."}

// worldQuestion draws a question.
func worldQuestion(r *rand.Rand) (kind questionKind, name string, qtype uint16) {
	zone := inner[r.IntN(len(inner))]
	host := fmt.Sprintf("host%d.", r.IntN(30))
	switch n := r.IntN(100); {
	case n < 60:
		return publicName, fmt.Sprintf("www%d.site%d.example.", r.IntN(5), r.IntN(40)), dns.TypeA
	case n < 75:
		return ownName, host + zone, dns.TypeA
	case n < 80:
		return splitName, fmt.Sprintf("portal%d.alpha.example.", r.IntN(4)), dns.TypeA
	case n < 95:
		return noRecord, host + zone, dns.TypeAAAA
	}
	return noName, fmt.Sprintf("no%d.site%d.example.", r.Uint32(), r.IntN(40)), dns.TypeA
}

// world is three resolvers within this process, which count what they see.
type world struct {
	addrs [resolvers]string
	conns [resolvers]*net.UDPConn
	plugs [resolvers]net.Listener // for TCP, at which nobody answers

	moved atomic.Bool            // the zone that can move has
	gone  [resolvers]atomic.Bool // it says nothing
	mu    sync.Mutex
	seen  map[questionKind]int // queries, by any resolver
	shown map[questionKind]int // of these, names of a company that another resolver saw
}

func startWorld() (*world, error) {
	w := &world{seen: make(map[questionKind]int), shown: make(map[questionKind]int)}
	for i := range w.addrs {
		var err error
		for range 10 { // the port may be taken for TCP
			if w.conns[i], w.plugs[i], err = (fake{}).bind(); err == nil {
				break
			}
		}
		if err != nil {
			w.stop()
			return nil, err
		}
		bigBuffers(w.conns[i])
		w.addrs[i] = w.conns[i].LocalAddr().String()
		go w.serve(i)
	}
	return w, nil
}

func (w *world) stop() {
	for i, c := range w.conns {
		if w.plugs[i] != nil {
			c.Close()
			w.plugs[i].Close()
		}
	}
}

// owner is who knows an inner zone, or -1 for other names.
func (w *world) owner(name string) int {
	for i, zone := range inner {
		if strings.HasSuffix(name, "."+zone) {
			if i == 1 || i == 2 && w.moved.Load() {
				return companyB
			}
			return companyA
		}
	}
	return -1
}

func (w *world) serve(i int) {
	buf := make([]byte, 4096)
	for {
		n, from, err := w.conns[i].ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		q := new(dns.Msg)
		if q.Unpack(buf[:n]) != nil || len(q.Question) != 1 || w.gone[i].Load() {
			continue
		}
		b, err := w.reply(i, q).Pack()
		if err != nil {
			continue
		}
		delay := worldDelays[i]
		time.AfterFunc(delay+rand.N(delay/4), func() { w.conns[i].WriteToUDPAddrPort(b, from) })
	}
}

// reply is what resolver i says.
func (w *world) reply(i int, q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	name, qtype := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
	owner := w.owner(name)
	kind := kindOfQuestion(name, qtype, owner)
	w.mu.Lock()
	w.seen[kind]++
	if owner >= 0 && owner != i {
		w.shown[kind]++
	}
	w.mu.Unlock()
	address := fmt.Sprintf("192.0.2.%d", 1+len(name)%200)
	switch {
	case kind == noName || owner >= 0 && owner != i:
		m.Rcode = dns.RcodeNameError
	case qtype != dns.TypeA:
	case owner >= 0:
		address = "10.0.0.1"
	case kind == splitName && i == companyA:
		address = "10.0.0.2"
	}
	if m.Rcode == dns.RcodeNameError || qtype != dns.TypeA {
		m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "example.", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 300}, Ns: ".", Mbox: ".", Minttl: 300}}
		return m
	}
	m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 300}, A: net.ParseIP(address)}}
	return m
}

func kindOfQuestion(name string, qtype uint16, owner int) questionKind {
	switch {
	case owner >= 0 && qtype != dns.TypeA:
		return noRecord
	case owner >= 0:
		return ownName
	case strings.HasPrefix(name, "portal"):
		return splitName
	case strings.HasPrefix(name, "no"):
		return noName
	}
	return publicName
}

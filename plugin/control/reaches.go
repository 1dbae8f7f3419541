package control

import (
	"crypto/rand"
	"encoding/hex"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

const (
	reachTime = 30 * time.Second
	maxReach  = 16 // at a time
)

// reaches are names by which is seen who asks this server. That there is one is all that a query
// has to look at.
type reaches struct {
	now atomic.Pointer[[]*reach] // nil: there are none

	mu sync.Mutex // of those who change it
}

// reach is such a name. Nobody chooses it, so nobody can have the server answer another.
type reach struct {
	name    string // canonical
	a, aaaa net.IP
}

func newReach() *reach {
	var random [16 + 2 + 8]byte // a label of 128 bits, and what addresses hold
	rand.Read(random[:])
	label, a, aaaa := random[:16], random[16:18], random[18:]
	return &reach{
		name: hex.EncodeToString(label) + "." + api.ReachZone,
		a:    net.IPv4(198, 18, a[0], a[1]),
		aaaa: append(net.IP{0x20, 0x01, 0, 2, 0, 0, 0, 0}, aaaa...),
	}
}

// add adds a name, for so long, if there are not too many.
func (rs *reaches) add(d time.Duration) (added *reach, ok bool) {
	added = newReach()
	ok = rs.change(func(all []*reach) []*reach {
		if len(all) >= maxReach {
			return nil
		}
		return append(all, added)
	})
	if ok {
		time.AfterFunc(d, func() {
			rs.change(func(all []*reach) []*reach {
				return slices.DeleteFunc(all, func(r *reach) bool { return r == added })
			})
		})
	}
	return added, ok
}

// change sets other names, made of a copy of those there are; nil leaves them.
func (rs *reaches) change(to func([]*reach) []*reach) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	all := []*reach{}
	if now := rs.now.Load(); now != nil {
		all = slices.Clone(*now)
	}
	switch all = to(all); {
	case all == nil:
		return false
	case len(all) == 0:
		rs.now.Store(nil)
	default:
		rs.now.Store(&all)
	}
	return true
}

func reached(all []*reach, r *dns.Msg) *dns.Msg {
	q := r.Question[0]
	name := dns.CanonicalName(q.Name)
	if !strings.HasSuffix(name, api.ReachZone) {
		return nil
	}
	for _, is := range all {
		if name != is.name && !strings.HasSuffix(name, "."+is.name) {
			continue
		}
		m := new(dns.Msg)
		m.SetReply(r)
		m.Authoritative, m.RecursionAvailable = true, true
		head := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET} // with a TTL of 0
		switch q.Qtype {
		case dns.TypeA:
			m.Answer = []dns.RR{&dns.A{Hdr: head, A: is.a}}
		case dns.TypeAAAA:
			m.Answer = []dns.RR{&dns.AAAA{Hdr: head, AAAA: is.aaaa}}
		}
		return m
	}
	return nil
}

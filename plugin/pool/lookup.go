package pool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// secondWait is how long the addresses of one family wait for those of the other (RFC
// 8305, section 3).
const secondWait = 50 * time.Millisecond

var (
	errNobody    = errors.New("no upstream that is given by address can be asked")
	errUntrusted = errors.New("no upstream that private_from allows knows a private address")
)

// resolved is the result of a lookup of one type.
type resolved struct {
	addrs []netip.Addr
	ttl   time.Duration // the least
	err   error
}

// bootstrap is a [secure.Bootstrap]: it finds the addresses of a host by a race over the
// upstreams whose own addresses are known, so it never needs itself. As any name, one in a
// link's domain may be asked of that link's alone (R21).
func (p *Pool) bootstrap(ctx context.Context, host string) ([]netip.Addr, time.Duration, error) {
	question, err := packed(host, dns.TypeAAAA)
	if err != nil {
		return nil, 0, err
	}
	if len(p.givenByAddress(question)) == 0 {
		return nil, 0, errNobody
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan resolved, 2)
	for _, qtype := range []uint16{dns.TypeAAAA, dns.TypeA} {
		go func() { results <- p.resolve(ctx, host, qtype) }()
	}
	first := <-results
	if len(first.addrs) > 0 {
		time.AfterFunc(cmp.Or(p.cfg.Second, secondWait), cancel)
	}
	second := <-results
	switch {
	case len(first.addrs) == 0 && len(second.addrs) == 0:
		return nil, 0, first.err
	case len(first.addrs) == 0:
		return second.addrs, second.ttl, nil
	case len(second.addrs) == 0:
		return first.addrs, first.ttl, nil
	}
	return mixed(first.addrs, second.addrs), min(first.ttl, second.ttl), nil
}

// mixed returns the addresses of both families in turn (RFC 8305, section 4).
func mixed(a, b []netip.Addr) (all []netip.Addr) {
	for len(a) > 0 || len(b) > 0 {
		if len(a) > 0 {
			all, a = append(all, a[0]), a[1:]
		}
		a, b = b, a
	}
	return all
}

// givenByAddress are the upstreams to ask a question that need not be looked up themselves.
func (p *Pool) givenByAddress(query []byte) (members []*Member) {
	for _, m := range p.set.Load().route(wire.Question(query)).members {
		if !m.Server.NeedsBootstrap() {
			members = append(members, m)
		}
	}
	return members
}

// resolve finds the host's addresses of one family. An alias is followed when all have
// replied, not beside the race as for clients: so no upstream is asked that waits for this.
func (p *Pool) resolve(ctx context.Context, host string, qtype uint16) (res resolved) {
	trusted := true // with private addresses, by all whose aliases lead there (R22)
	for range 1 + maxEnds {
		var giver *Member
		if res, host, giver = p.resolveName(ctx, host, qtype); host == "" {
			if !trusted && slices.ContainsFunc(res.addrs, race.PrivateAddress) {
				return resolved{err: errUntrusted}
			}
			return res
		}
		trusted = trusted && giver.MayGivePrivate()
	}
	return resolved{err: race.ErrEndless}
}

// resolveName races a question for the addresses of a name. It returns the name that this one
// is an alias of, if that was all that was found, and who says so.
func (p *Pool) resolveName(ctx context.Context, name string, qtype uint16) (found resolved, alias string, giver *Member) {
	msg, err := packed(name, qtype)
	if err != nil {
		return resolved{err: err}, "", nil
	}
	q := &hostQuery{Query: upstream.Query{Msg: msg, Truncated: upstream.TruncatedNever}}
	r := &Race{Members: p.givenByAddress(msg), pool: p, set: p.set.Load().route(wire.Question(msg)), forHost: true}
	p.prepare(r, q)
	setup := r.setup()
	setup.Aliases, setup.Answers, setup.Watched = false, true, true
	r.begin(nil)
	defer r.End()
	res := r.Wait(ctx)
	switch {
	case res.Verdict == race.Untrusted:
		return resolved{err: errUntrusted}, "", nil
	case res.Leg < 0 && ctx.Err() != nil:
		return resolved{err: errors.New("no upstream replied in time")}, "", nil
	case res.Leg < 0:
		return resolved{err: errors.New("no upstream replied")}, "", nil
	case res.Verdict == race.Good:
		return addresses(q.reply), "", nil
	}
	var buf [255]byte
	if to := wire.FollowAliases(res.Msg, buf[:0], nil); to.Followed > 0 && !to.Endless && res.Verdict != race.Bogus {
		return resolved{}, nameOf(to.End), r.Members[res.Leg]
	}
	if q.reply.Rcode == dns.RcodeSuccess {
		return resolved{err: fmt.Errorf("%s replied NOERROR without a usable address", r.Members[res.Leg])}, "", nil
	}
	rcode := printable.Rcode(q.reply.Rcode)
	return resolved{err: fmt.Errorf("%s replied %s", r.Members[res.Leg], rcode)}, "", nil
}

// packed is the query for a host's addresses of one family.
func packed(host string, qtype uint16) ([]byte, error) {
	return new(dns.Msg).SetQuestion(dns.Fqdn(host), qtype).SetEdns0(upstream.MaxUDPSize, false).Pack()
}

// addresses returns the addresses in a reply's answer.
func addresses(m *dns.Msg) (f resolved) {
	f.err = errors.New("the answer has no address")
	f.ttl = time.Duration(1<<31-1) * time.Second
	for _, rr := range m.Answer {
		f.ttl = min(f.ttl, time.Duration(rr.Header().Ttl)*time.Second)
		var addr netip.Addr
		switch rr := rr.(type) {
		case *dns.A:
			addr, _ = netip.AddrFromSlice(rr.A)
		case *dns.AAAA:
			addr, _ = netip.AddrFromSlice(rr.AAAA)
		}
		if addr = addr.Unmap(); addr.IsValid() && !addr.IsUnspecified() && !addr.IsMulticast() {
			f.addrs, f.err = append(f.addrs, addr), nil
		}
	}
	return f
}

// hostQuery is a [Query], and the reply to it.
type hostQuery struct {
	upstream.Query
	reply *dns.Msg
}

func (q *hostQuery) Plain() *upstream.Query     { return &q.Query }
func (q *hostQuery) Encrypted() *upstream.Query { return &q.Query }
func (q *hostQuery) Detached() Query            { return q }

func (q *hostQuery) Named(string, uint16) (Query, error) { return nil, errors.ErrUnsupported }

func (q *hostQuery) Read(reply []byte) error {
	q.reply = new(dns.Msg)
	return q.reply.Unpack(reply)
}

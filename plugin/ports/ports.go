// Package ports has what queries over UDP leave from: a few ports with unpredictable numbers
// that the upstreams of a pool share, and tables of unpredictable ids (RFC 5452, section
// 9.2). It also bounds the file descriptors that sockets take. It knows nothing of queries.
//
// An upstream has a [Socket] on a port, and says as its [Owner] which ids it waits for. So
// a reply cannot get to an upstream that does not wait for it, also where two have the
// same address.
package ports

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/dnsmus/dnsmus/plugin/udp"
)

// How many ports are used at a time for each family of addresses. More are harder to hit
// (RFC 5452, section 9.2), and cost more: packets from one port leave, and are read, together.
const (
	InUse     = 16  // at most
	BusyInUse = 4   // of a pool that makes many races, or while descriptors run low
	BusyRate  = 200 // races a second from which on that is so
)

// A port is in use for between half of MaxAge and MaxAge, drawn at random, so that ports are
// not replaced all at once.
const MaxAge = 10 * time.Second

// Errors and silence have ports replaced, so often at once and then so often over time:
// an upstream that always fails must not cost the others theirs.
const (
	RenewBurst = 4
	renewEvery = time.Second
)

// Listen opens a UDP socket for IPv6 or for IPv4, and has received take what comes.
type Listen func(v6 bool, received udp.Receiver) (udp.Conn, error)

// Ports are the UDP ports that the upstreams of a pool share: a few, with unpredictable
// numbers, that are soon replaced by others. Its methods may be called from any goroutine.
type Ports struct {
	listen   Listen
	fallback *Ports // serve where there are no descriptors for others; nil: none
	renewals *rate.Limiter

	second atomic.Int64 // in which draws are counted
	draws  atomic.Int64
	busy   atomic.Bool // there were many in the second before
	short  func() bool // descriptors run low; nil: they never do

	mu    sync.Mutex
	inUse [2][InUse]*port // of IPv4, of IPv6
	open  []*port         // these, and those that only wait for late replies
}

// New returns ports, of which none is open before it is needed.
func New() *Ports { return process.Ports() }

// Over returns ports that listen opens.
func Over(listen Listen) *Ports { return over(listen, nil) }

func over(listen Listen, fallback *Ports) *Ports {
	return &Ports{listen: listen, fallback: fallback, renewals: rate.NewLimiter(rate.Every(renewEvery), RenewBurst)}
}

// Draw draws which of the ports in use a race's packets leave from.
func (ps *Ports) Draw(random *Random, now time.Time) int {
	if second := now.Unix(); ps.second.Swap(second) != second {
		ps.busy.Store(ps.draws.Swap(0) > BusyRate)
	}
	n := InUse
	if ps.draws.Add(1) > BusyRate || ps.busy.Load() || ps.short != nil && ps.short() {
		n = BusyInUse
	}
	return int(random.Uint16()) % n
}

// Join returns a socket with a peer on the i-th port in use, which is opened if need be; an
// older port serves where that cannot be, as for lack of file descriptors.
func (ps *Ports) Join(owner Owner, peer udp.Peer, i int, now time.Time) (*Socket, error) {
	s := &Socket{Peer: peer, owner: owner}
	if err := ps.join(s, i, now); err != nil {
		return nil, err
	}
	return s, nil
}

func (ps *Ports) join(s *Socket, i int, now time.Time) error {
	v6 := 0
	if s.Peer.Addr.Addr().Is6() {
		v6 = 1
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	inUse := &ps.inUse[v6]
	p := inUse[i]
	if p == nil || p.retiringAt(now) {
		fresh, err := ps.openLocked(v6 == 1, now)
		switch {
		case err == nil:
			p, inUse[i] = fresh, fresh
		case youngest(inUse) != nil:
			p = youngest(inUse)
		case ps.fallback != nil:
			return ps.fallback.join(s, i, now)
		default:
			return err
		}
	}
	p.addLocked(s)
	return nil
}

// youngest is that of the ports, or nil if there is none.
func youngest(ports *[InUse]*port) (youngest *port) {
	for _, p := range ports {
		if p != nil && (youngest == nil || p.born.After(youngest.born)) {
			youngest = p
		}
	}
	return youngest
}

func (ps *Ports) openLocked(v6 bool, now time.Time) (*port, error) {
	p := &port{ports: ps, born: now, life: MaxAge/2 + rand.N(MaxAge/2)}
	p.sockets.Store(new(map[udp.Peer][]*Socket))
	conn, err := ps.listen(v6, p.received)
	if err != nil {
		return nil, err
	}
	p.conn = conn
	ps.open = append(ps.open, p)
	return p, nil
}

// Renew has other ports take the place of all that are open. It reports whether it does:
// not too often.
func (ps *Ports) Renew(now time.Time) bool {
	if !ps.renewals.AllowN(now, 1) {
		return false
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.open {
		p.retiring.Store(true)
	}
	return true
}

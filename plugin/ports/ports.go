// Package ports has the UDP ports and the ids of queries, which a forger has to guess (RFC
// 5452, section 9.2): a few ports with unpredictable numbers, which the upstreams of a pool
// share, and tables of unpredictable ids. It also bounds how many file descriptors sockets
// take. It knows nothing of what a query asks.
//
// An upstream has a [Socket] on a port. It is the socket's [Owner], which is asked which ids
// it waits for. So even where two upstreams have the same address, a reply gets only to the
// one that waits for it.
package ports

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// How many ports are used at a time for each family of addresses. The more there are, the
// harder a forger finds the right one (RFC 5452, section 9.2), and the more system calls are
// made: packets that leave from one port are sent, and read, together.
const (
	InUse     = 16  // at most
	BusyInUse = 4   // in a pool with many races, or while file descriptors run low
	BusyRate  = 200 // more races a second than this are many
)

// A port is in use for between half of MaxAge and MaxAge, drawn at random, so that ports are
// not replaced all at once.
const MaxAge = 10 * time.Second

// After errors and silence ports are replaced, but not always: an upstream that fails again
// and again must not cost the others their ports.
const (
	RenewBurst = 4           // times at once
	renewEvery = time.Second // after that
)

// Listen opens a UDP socket for IPv6 or for IPv4, and has received take what comes.
type Listen func(v6 bool, received udp.Receiver) (udp.Conn, error)

// Ports are the UDP ports that the upstreams of a pool share: a few, with unpredictable
// numbers, that are soon replaced by others. Its methods may be called from any goroutine.
type Ports struct {
	listen   Listen
	fallback *Ports // used while there are no file descriptors for ports of its own; nil: none
	renewals *rate.Limiter

	second atomic.Int64 // the number of the second of which draws are counted
	draws  atomic.Int64 // in that second
	busy   atomic.Bool  // there were many in the second counted before
	short  func() bool  // file descriptors run low; nil: they never do

	mu    sync.Mutex
	inUse [2][InUse]*port // for IPv4, for IPv6
	open  []*port         // those in use, and those that only wait for late replies
}

// Over returns ports that are opened by listen.
func Over(listen Listen) *Ports { return over(listen, nil) }

func over(listen Listen, fallback *Ports) *Ports {
	return &Ports{listen: listen, fallback: fallback, renewals: rate.NewLimiter(rate.Every(renewEvery), RenewBurst)}
}

// Draw draws at random from which of the ports in use a race's packets leave, and returns its
// index for Join.
func (ps *Ports) Draw(random *Random, now instant.Time) int {
	if second := int64(now / instant.Time(time.Second)); ps.second.Swap(second) != second {
		ps.busy.Store(ps.draws.Swap(0) > BusyRate)
	}
	n := InUse
	if ps.draws.Add(1) > BusyRate || ps.busy.Load() || ps.short != nil && ps.short() {
		n = BusyInUse
	}
	return int(random.Uint16()) % n
}

// Join returns a socket with a peer on the i-th port in use. If that port is not open, or is to
// be replaced, another is opened in its place. If that fails, as for lack of file
// descriptors, another port that is open already is used.
func (ps *Ports) Join(owner Owner, peer udp.Peer, i int, now instant.Time) (*Socket, error) {
	s := &Socket{Peer: peer, owner: owner}
	if err := ps.join(s, i, now); err != nil {
		return nil, err
	}
	return s, nil
}

func (ps *Ports) join(s *Socket, i int, now instant.Time) error {
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

// youngest returns the port that was opened last, or nil if none is open.
func youngest(ports *[InUse]*port) (youngest *port) {
	for _, p := range ports {
		if p != nil && (youngest == nil || p.born.After(youngest.born)) {
			youngest = p
		}
	}
	return youngest
}

func (ps *Ports) openLocked(v6 bool, now instant.Time) (*port, error) {
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

// Renew has other ports take the place of all that are open. It reports false, and does
// nothing, if it is called too often.
func (ps *Ports) Renew(now instant.Time) bool {
	if !ps.renewals.AllowN(now.Time(), 1) {
		return false
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.open {
		p.retiring.Store(true)
	}
	return true
}

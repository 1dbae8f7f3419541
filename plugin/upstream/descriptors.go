package upstream

import (
	"context"
	"errors"
	"math"
	"net"
	"sync"
	"sync/atomic"

	"github.com/dnsmus/dnsmus/plugin/udp"
)

// descriptors opens the sockets of all upstreams of the process. Each UDP port needs a
// file descriptor, and so does each connection; together they may take half of those
// that the process may have, so that listeners and clients keep theirs. Pools for which
// there is none share ports with others.
var descriptors = newBudget(fileLimit()/4, fileLimit()/4)

// budget bounds open sockets.
type budget struct {
	udp, tcp quota
	common   Ports // beyond the quota
	short    atomic.Pointer[func()]
	said     atomic.Bool

	mu    sync.Mutex
	conns map[*countedPort]bool // that are open
	drops uint64                // of those that were closed
}

func newBudget(udpMost, tcpMost int64) *budget {
	b := &budget{udp: quota{most: udpMost}, tcp: quota{most: tcpMost}, conns: make(map[*countedPort]bool)}
	b.common = Ports{listen: b.listenCommon, renews: newPorts(nil, nil).renews}
	return b
}

// quota counts what is open of a kind.
type quota struct {
	most int64
	open atomic.Int64
}

func (q *quota) take() bool {
	if q.open.Add(1) <= q.most {
		return true
	}
	q.open.Add(-1)
	return false
}

func (q *quota) giveBack() { q.open.Add(-1) }

// errDescriptors is why there is no connection.
var errDescriptors = errors.New("too few file descriptors for another connection; raise the limit (ulimit -n, LimitNOFILE)")

// NotifyShort has f called once, when file descriptors are too few for ports of each
// pool's own. It is for the whole process; a later call replaces f.
func NotifyShort(f func()) { descriptors.short.Store(&f) }

// Drops counts the packets of upstreams that the whole process did not read in time, and
// so lost, so far as the system tells.
func Drops() uint64 { return descriptors.dropped() }

// dial opens a TCP connection.
func (b *budget) dial(ctx context.Context, to udp.Peer) (net.Conn, error) {
	if !b.tcp.take() {
		b.notify()
		return nil, errDescriptors
	}
	conn, err := to.Dialer().DialContext(ctx, "tcp", to.String())
	if err != nil {
		b.tcp.giveBack()
		return nil, err
	}
	return &counted{Conn: conn, closed: b.tcp.giveBack}, nil
}

// listen opens a UDP socket if there is a descriptor for it.
func (b *budget) listen(v6 bool, received udp.Receiver) (udp.Conn, error) {
	if !b.udp.take() {
		b.notify()
		return nil, errDescriptors
	}
	conn, err := udp.Listen(v6, received)
	if err != nil {
		b.udp.giveBack()
		if exhausted(err) {
			b.notify()
		}
		return nil, err
	}
	return b.count(conn, b.udp.giveBack), nil
}

// listenCommon opens one of the few that are left for all.
func (b *budget) listenCommon(v6 bool, received udp.Receiver) (udp.Conn, error) {
	conn, err := udp.Listen(v6, received)
	if err != nil {
		return nil, err
	}
	return b.count(conn, func() {}), nil
}

func (b *budget) notify() {
	if f := b.short.Load(); f != nil && !b.said.Swap(true) {
		(*f)()
	}
}

// counted is a connection that is given back to a quota.
type counted struct {
	net.Conn
	once   sync.Once
	closed func()
}

func (c *counted) Close() error {
	c.once.Do(c.closed)
	return c.Conn.Close()
}

// countedPort is a UDP socket that is given back to a quota, and whose lost packets stay
// counted.
type countedPort struct {
	udp.Conn
	budget *budget
	closed func()
}

func (b *budget) count(conn udp.Conn, closed func()) *countedPort {
	c := &countedPort{conn, b, closed}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conns[c] = true
	return c
}

// Close implements udp.Conn. It is called once.
func (c *countedPort) Close() {
	c.budget.mu.Lock()
	c.budget.drops += c.Drops()
	delete(c.budget.conns, c)
	c.budget.mu.Unlock()
	c.closed()
	c.Conn.Close()
}

func (b *budget) dropped() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.drops
	for c := range b.conns {
		n += c.Drops()
	}
	return n
}

// unlimited is a limit where there is none.
const unlimited = math.MaxInt64

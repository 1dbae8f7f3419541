package ports

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/dnsmus/dnsmus/plugin/udp"
)

// Budget bounds open sockets. Pools for which there is no descriptor share ports with
// others.
type Budget struct {
	udp, tcp quota
	shared   *Ports // beyond the quota
	spares   *spares
	onShort  atomic.Pointer[func()]
	reported atomic.Bool

	mu    sync.Mutex
	conns map[*countedPort]bool // that are open
	drops uint64                // of those that were closed
}

// NewBudget returns a budget of so many UDP ports, and so many connections.
func NewBudget(udp, tcp int64) *Budget {
	b := &Budget{udp: quota{most: udp}, tcp: quota{most: tcp}, spares: new(spares), conns: make(map[*countedPort]bool)}
	b.shared = Over(b.listenShared)
	return b
}

// Ports returns ports within the budget, of which none is open before it is needed.
func (b *Budget) Ports() *Ports {
	ps := over(b.listen, b.shared)
	ps.short = func() bool { return b.udp.open.Load() > b.udp.most/2 }
	return ps
}

// Open counts the UDP ports that are open, those within the budget and the shared ones, and
// the connections.
func (b *Budget) Open() (own, shared, connections int) {
	b.shared.mu.Lock()
	defer b.shared.mu.Unlock()
	return int(b.udp.open.Load()), len(b.shared.open), int(b.tcp.open.Load())
}

// OnShort has f called once, when descriptors are too few for ports of each pool's own. A
// later call replaces f.
func (b *Budget) OnShort(f func()) { b.onShort.Store(&f) }

// Dial opens a TCP connection within the budget.
func (b *Budget) Dial(ctx context.Context, to udp.Peer) (net.Conn, error) {
	if !b.tcp.take() {
		b.notify()
		return nil, ErrDescriptors
	}
	conn, err := to.Dialer().DialContext(ctx, "tcp", to.String())
	if err == nil {
		b.spares.fill()
	} else if exhausted(err) {
		b.notify()
		conn, err = b.spares.stream(ctx, to)
	}
	if err != nil {
		b.tcp.giveBack()
		return nil, err
	}
	return &counted{Conn: conn, closed: b.tcp.giveBack}, nil
}

// ListenUDP opens a UDP socket for one connection, within the budget for connections.
func (b *Budget) ListenUDP(ctx context.Context, to udp.Peer) (*CountedUDP, error) {
	if !b.tcp.take() {
		b.notify()
		return nil, ErrDescriptors
	}
	conn, err := to.ListenUDP(ctx)
	if err == nil {
		b.spares.fill()
	} else if exhausted(err) {
		b.notify()
		if spare := b.spares.datagrams(to); spare != nil {
			conn, err = spare, nil
		}
	}
	if err != nil {
		b.tcp.giveBack()
		return nil, err
	}
	return &CountedUDP{UDPConn: conn, closed: b.tcp.giveBack}, nil
}

// listen opens a UDP socket if there is a descriptor for it.
func (b *Budget) listen(v6 bool, received udp.Receiver) (udp.Conn, error) {
	if !b.udp.take() {
		b.notify()
		return nil, ErrDescriptors
	}
	conn, err := udp.Listen(v6, received)
	if err != nil {
		b.udp.giveBack()
		if exhausted(err) {
			b.notify()
		}
		return nil, err
	}
	b.spares.fill()
	return b.count(conn, b.udp.giveBack), nil
}

// listenShared opens one of the few that are left for all.
func (b *Budget) listenShared(v6 bool, received udp.Receiver) (udp.Conn, error) {
	conn, err := udp.Listen(v6, received)
	if err == nil {
		b.spares.fill()
	} else if exhausted(err) {
		if spare := b.spares.port(v6, received); spare != nil {
			conn, err = spare, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return b.count(conn, func() {}), nil
}

func (b *Budget) notify() {
	if f := b.onShort.Load(); f != nil && !b.reported.Swap(true) {
		(*f)()
	}
}

// countedPort is a UDP socket that is given back to a quota, and whose lost packets stay
// counted.
type countedPort struct {
	udp.Conn
	budget *Budget
	closed func()
}

func (b *Budget) count(conn udp.Conn, closed func()) *countedPort {
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

func (b *Budget) dropped() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.drops
	for c := range b.conns {
		n += c.Drops()
	}
	return n
}

package upstream

import (
	"context"
	"errors"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// descriptors opens the sockets of all upstreams of the process. Each UDP socket of
// its own needs a file descriptor, and so does each connection; together they may take
// half of those that the process may have, so that listeners and clients keep theirs.
// Upstreams for which there is none share ports.
var descriptors = &budget{udp: quota{most: fileLimit() / 4}, tcp: quota{most: fileLimit() / 4}}

// budget bounds open sockets.
type budget struct {
	udp, tcp quota
	common   commonPorts
	short    atomic.Pointer[func()]
	said     atomic.Bool
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

// NotifyShort has f called once, when file descriptors are too few for sockets of
// each upstream's own. It is for the whole process; a later call replaces f.
func NotifyShort(f func()) { descriptors.short.Store(&f) }

// dial opens a connected socket as [net.Dialer.DialContext] does. To addresses, so
// that nothing is looked up.
func (b *budget) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Control: reportICMP}
	if network != "udp" {
		if !b.tcp.take() {
			b.notify()
			return nil, errDescriptors
		}
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			b.tcp.giveBack()
			return nil, err
		}
		return &counted{Conn: conn, closed: b.tcp.giveBack}, nil
	}
	if b.udp.take() {
		conn, err := dialer.DialContext(ctx, network, address)
		if err == nil {
			return &counted{Conn: conn, closed: b.udp.giveBack}, nil
		}
		b.udp.giveBack()
		if !exhausted(err) {
			return nil, err
		}
	}
	b.notify()
	return b.common.dial(address)
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

// SyscallConn implements syscall.Conn.
func (c *counted) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// unlimited is a limit where there is none.
const unlimited = math.MaxInt64

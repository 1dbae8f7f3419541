package ports

import (
	"errors"
	"math"
	"net"
	"sync"
	"sync/atomic"
)

// unlimited is a limit where there is none.
const unlimited = math.MaxInt64

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

// ErrDescriptors is why there is no connection.
var ErrDescriptors = errors.New("too few file descriptors for another connection; raise the limit (ulimit -n, LimitNOFILE)")

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

// CountedUDP is a UDP socket that is given back to a quota.
type CountedUDP struct {
	*net.UDPConn
	once   sync.Once
	closed func()
}

// Close closes the socket.
func (c *CountedUDP) Close() error {
	c.once.Do(c.closed)
	return c.UDPConn.Close()
}

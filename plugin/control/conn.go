package control

import (
	"net"
	"net/http"
	"sync/atomic"
)

// conns are the connections of a socket.
type conns struct {
	net.Listener
	open atomic.Int32
}

func newConns(l net.Listener) *conns { return &conns{Listener: l} }

// conn is one of them.
type conn struct {
	net.Conn
	uid     int
	tooMany bool
	of      *conns
	closed  atomic.Bool
}

// Accept implements net.Listener. What is far too much is closed at once.
func (cs *conns) Accept() (net.Conn, error) {
	for {
		c, err := cs.Listener.Accept()
		if err != nil {
			return nil, err
		}
		n := cs.open.Add(1)
		if n > 4*maxConns {
			cs.open.Add(-1)
			c.Close()
			continue
		}
		own := &conn{Conn: c, uid: -1, tooMany: n > maxConns, of: cs}
		if u, ok := c.(*net.UnixConn); ok {
			own.uid = uidOf(u)
		}
		return own, nil
	}
}

// Close implements net.Conn.
func (c *conn) Close() error {
	if !c.closed.Swap(true) {
		c.of.open.Add(-1)
	}
	return c.Conn.Close()
}

type connKey struct{}

// peer is the user at the other end of a request's connection; -1: unknown.
func peer(r *http.Request) int {
	if c, ok := r.Context().Value(connKey{}).(*conn); ok {
		return c.uid
	}
	return -1
}

// uidOf is the user at the other end of a connection; -1: unknown.
func uidOf(c *net.UnixConn) (uid int) {
	uid = -1
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { uid = peerOf(int(fd)) })
	}
	return uid
}

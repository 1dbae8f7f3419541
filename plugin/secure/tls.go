package secure

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"net"
	"sync"

	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// TLS dials DNS over TLS. Each Write to the connection must be of whole
// messages, each with its length before it.
func TLS(cfg *tls.Config) Dial {
	return func(ctx context.Context, to udp.Peer) (net.Conn, error) {
		conn, err := ports.Dial(ctx, to)
		if err != nil {
			return nil, err
		}
		packed := &packedConn{Conn: conn}
		c := tlsConn{tls.Client(packed, config(cfg, to, "dot")), packed}
		if err := c.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return c, nil
	}
}

// tlsConn puts each message into a record of its own. Some servers, such as
// dnsdist, wait for the next packet when they have read one message of a record,
// and leave the others in it unread.
type tlsConn struct {
	*tls.Conn
	packed *packedConn
}

func (c tlsConn) Write(b []byte) (int, error) {
	c.packed.hold()
	for rest := b; len(rest) > 0; {
		n := len(rest)
		if n > 2 {
			n = min(n, 2+int(binary.BigEndian.Uint16(rest)))
		}
		if _, err := c.Conn.Write(rest[:n]); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	if err := c.packed.flush(); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close sends close_notify, unless a write is stuck.
func (c tlsConn) Close() error {
	if !c.packed.mu.TryLock() {
		return c.packed.Conn.Close()
	}
	c.packed.mu.Unlock()
	return c.Conn.Close()
}

// packedConn can hold back what is written, so that many records leave at once.
type packedConn struct {
	net.Conn
	mu      sync.Mutex
	holding bool
	held    []byte
}

func (c *packedConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holding {
		c.held = append(c.held, b...)
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *packedConn) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = true
}

// flush writes what was held back, and holds back no more.
func (c *packedConn) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.Conn.Write(c.held)
	c.holding, c.held = false, c.held[:0]
	return err
}

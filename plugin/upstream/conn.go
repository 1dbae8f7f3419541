package upstream

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// run dials, and serves the queue until the connection or the stream is closed.
func (s *stream) run() {
	s.pause()
	s.ended(plainly(s.serve()))
}

// pause waits until the resolver may be dialled.
func (s *stream) pause() {
	s.u.mu.Lock()
	left := instant.Until(s.u.conns.notBefore)
	s.u.mu.Unlock()
	if left > 0 {
		select {
		case <-time.After(left):
		case <-s.ctx.Done():
		}
	}
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	s.dialled = instant.Now()
}

func (s *stream) serve() error {
	dialling, cancel := context.WithTimeout(s.ctx, s.u.cfg.Timeout/2)
	defer cancel()
	s.u.mu.Lock()
	to, gone, again := s.u.peer, s.u.linkGone(), s.u.known.Stall()
	s.u.mu.Unlock()
	if gone {
		return ErrLinkGone
	}
	if dial := s.u.cfg.DialRoundTripper; dial != nil {
		conn, err := firstDialled(dialling, again, func(ctx context.Context) (RoundTripper, error) { return dial(ctx, to) })
		if err != nil {
			return err
		}
		s.serveRoundTripper(conn)
		return nil
	}
	conn, err := firstDialled(dialling, again, func(ctx context.Context) (net.Conn, error) { return s.u.cfg.Dial(ctx, to) })
	if err != nil {
		return err
	}
	return s.serveConn(conn)
}

// serveConn writes what is queued.
func (s *stream) serveConn(conn net.Conn) error {
	defer conn.Close()
	defer context.AfterFunc(s.ctx, func() { conn.Close() })()
	s.u.mu.Lock()
	s.openedLocked()
	s.u.mu.Unlock()

	broken := make(chan error, 1)
	go func() { broken <- s.read(conn) }()
	var batch []byte
	for {
		select {
		case err := <-broken:
			return err
		case <-s.queued:
		}
		if batch = s.frames(batch[:0]); len(batch) == 0 {
			continue
		}
		conn.SetWriteDeadline(time.Now().Add(s.u.cfg.Timeout))
		if _, err := conn.Write(batch); err != nil {
			conn.Close()
			<-broken
			return err
		}
	}
}

// frames appends what is queued to b, each query with its length before it. So
// many leave in one packet.
func (s *stream) frames(b []byte) []byte {
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	for _, id := range s.queue {
		if x := s.pending.Get(id); x != nil {
			msg := x.query.msg
			b = binary.BigEndian.AppendUint16(b, uint16(len(msg)))
			b = append(b, msg...)
			wire.Header(b[len(b)-len(msg):]).SetID(id)
		}
	}
	s.queue = s.queue[:0]
	return b
}

// read takes replies until the connection ends.
func (s *stream) read(conn net.Conn) error {
	r := bufio.NewReader(conn)
	var length [2]byte
	for {
		if _, err := io.ReadFull(r, length[:]); err != nil {
			return err
		}
		msg := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(r, msg); err != nil {
			return err
		}
		s.received(msg)
	}
}

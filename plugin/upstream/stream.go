package upstream

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// stallAfter is how long a connection may owe a reply before queries pass it
// over, and its own are asked on another.
const stallAfter = 500 * time.Millisecond

// stream is a TCP connection that is shared by exchanges: their queries are
// written as they come, and the replies are matched in any order (RFC 7766,
// sections 6.2.1.1 and 7).
type stream struct {
	u      *Upstream
	ctx    context.Context // done: the stream is closed
	cancel context.CancelFunc
	queued chan struct{} // queue has something

	// Guarded by u.mu.
	conn    net.Conn // nil while it is being dialled
	pending pending
	queue   net.Buffers
	heard   time.Time // when it brought a reply, or was opened
	asked   time.Time // when it was asked while it owed nothing
	used    bool      // it brought a reply
}

func newStream(u *Upstream) *stream {
	ctx, cancel := context.WithCancel(context.Background())
	return &stream{u: u, ctx: ctx, cancel: cancel, queued: make(chan struct{}, 1), pending: make(pending)}
}

// ask queues x's query. u.mu is held.
func (s *stream) ask(x *Exchange, now time.Time) {
	if len(s.pending) == 0 {
		s.asked = now
	}
	s.u.streamed = now
	x.due = now.Add(stallAfter)
	if len(s.pending) >= maxPending { // ids run low; it is tried again when due
		return
	}
	x.stream = s
	x.streams++
	x.dials++
	s.queue = append(s.queue, x.frame(s.pending.add(x, s.u.random)))
	select {
	case s.queued <- struct{}{}:
	default:
	}
}

// stalled reports whether the server has kept a query waiting for long. u.mu is
// held.
func (s *stream) stalled(now time.Time) bool {
	return len(s.pending) > 0 && now.Sub(s.asked) >= stallAfter && now.Sub(s.heard) >= stallAfter
}

// close takes s off the upstream's list and ends it; run takes care of what is
// pending. u.mu is held.
func (s *stream) close() {
	for i := range s.u.streams {
		if s.u.streams[i] == s {
			s.u.streams = append(s.u.streams[:i:i], s.u.streams[i+1:]...)
			break
		}
	}
	s.cancel()
}

// run dials, writes and reads until the connection or the stream is closed.
func (s *stream) run() {
	err := s.serve()
	s.u.mu.Lock()
	s.close()
	left := s.pending
	s.pending = nil
	s.rewarm()
	s.u.mu.Unlock()
	for _, x := range left {
		x.streamFailed(err)
	}
}

// rewarm opens another connection in the place of s, if one is to be held open.
// A resolver that closes connections which it did not use is let be. u.mu is
// held.
func (s *stream) rewarm() {
	now := time.Now()
	if s.used && len(s.u.streams) == 0 && !s.u.draining && now.Sub(s.u.streamed) < s.u.cfg.Warm {
		s.u.stream(now, time.Time{})
	}
}

func (s *stream) serve() error {
	dialing, cancel := context.WithTimeout(s.ctx, s.u.cfg.Timeout/2)
	conn, err := s.u.dial(dialing, "tcp")
	cancel()
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(s.ctx, func() { conn.Close() })()
	s.u.mu.Lock()
	s.conn = conn
	s.heard = time.Now()
	s.u.mu.Unlock()

	broken := make(chan error, 1)
	go func() { broken <- s.read(conn) }()
	for {
		select {
		case err := <-broken:
			return err
		case <-s.queued:
		}
		s.u.mu.Lock()
		batch := s.queue
		s.queue = nil
		s.u.mu.Unlock()
		conn.SetWriteDeadline(time.Now().Add(s.u.cfg.Timeout))
		if _, err := batch.WriteTo(conn); err != nil {
			conn.Close()
			<-broken
			return err
		}
	}
}

var errIdle = errors.New("connection idle")

// read takes replies until the connection ends or is idle for long.
func (s *stream) read(conn net.Conn) error {
	r := bufio.NewReader(conn)
	var length [2]byte
	for {
		conn.SetReadDeadline(time.Now().Add(max(maxIdle, s.u.cfg.Warm)))
		if _, err := io.ReadFull(r, length[:]); err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				return errIdle
			}
			return err
		}
		msg := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(r, msg); err != nil {
			return err
		}
		s.received(msg)
	}
}

// received takes one message. One that answers nothing is ignored.
func (s *stream) received(msg []byte) {
	if len(msg) < wire.HeaderSize {
		return
	}
	now := time.Now()
	s.u.mu.Lock()
	id := wire.Header(msg).ID()
	x := s.pending[id]
	if x == nil || !matches(x.msg, msg) {
		s.u.mu.Unlock()
		return
	}
	delete(s.pending, id)
	s.heard, s.used = now, true
	back := s.u.heard(now)
	if x.udp == underway && x.packets >= maxPackets {
		// Three losses, or sockets whose source address no longer leads anywhere.
		s.u.retireSockets()
	}
	var to Receiver
	err := usable(msg, TruncatedAnswers)
	if err == nil {
		to = x.end()
	}
	s.u.mu.Unlock()

	switch {
	case err != nil:
		x.tcpFailed(err)
	case to != nil:
		to.Reply(msg)
	}
	if to != nil {
		s.u.cfg.Observer.Replied(wire.Header(msg).Rcode(), now.Sub(x.begun))
	}
	s.u.tell(back)
}

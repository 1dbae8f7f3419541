package upstream

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// leastStall is that of a resolver which replies quickly, or never did.
const leastStall = 500 * time.Millisecond

// stallAfter is how long a connection may owe a reply before queries pass it
// over, and its own are asked on another. u.mu is held.
func (u *Upstream) stallAfter() time.Duration {
	return max(leastStall, u.streamRTT.timeout())
}

// stream is a connection that is shared by exchanges: TCP or TLS, to which their
// queries are written as they come, and from which replies are read in any order
// (RFC 7766, sections 6.2.1.1 and 7); or an [Exchanger].
type stream struct {
	u      *Upstream
	ctx    context.Context // done: the stream is closed
	cancel context.CancelFunc
	queued chan struct{}  // queue has something to write
	all    sync.WaitGroup // workers

	// Guarded by u.mu.
	dialled   time.Time // when dialling began
	open      bool      // else it is being dialled
	leaving   bool      // it takes no more queries
	pending   pending
	queue     []uint16  // ids of those yet to be sent
	heard     time.Time // when it brought a reply, or was opened
	asked     time.Time // when it was asked while it owed nothing
	used      bool      // it brought a reply
	exchanger Exchanger // nil: a connection that is written to and read from
	workers   []*worker
	idle      sync.Cond // that the queue has something for them, or the stream is closed
	idlers    int       // workers that wait for it
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
	x.due = now.Add(s.u.stallAfter())
	if len(s.pending) >= maxPending { // ids run low; it is tried again when due
		return
	}
	x.stream = s
	x.streams++
	x.dials++
	s.queue = append(s.queue, s.pending.add(x, s.u.random))
	if s.exchanger != nil {
		s.hire()
		return
	}
	select {
	case s.queued <- struct{}{}:
	default:
	}
}

// free reports whether another query would not have to wait for those under way.
// u.mu is held.
func (s *stream) free(now time.Time) bool {
	return len(s.pending) == 0 || s.exchanger != nil && len(s.pending) < maxWorkers && !s.stalled(now)
}

// stalled reports whether the server has kept a query waiting for long. u.mu is
// held.
func (s *stream) stalled(now time.Time) bool {
	since := now.Add(-s.u.stallAfter())
	return len(s.pending) > 0 && !s.asked.After(since) && !s.heard.After(since)
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

// run dials, and serves the queue until the connection or the stream is closed.
func (s *stream) run() {
	s.pause()
	err := plainly(s.serve())
	s.u.mu.Lock()
	if now := time.Now(); s.ctx.Err() != nil {
		err = errGivenUp
	} else if !s.used {
		s.u.redial = now.Add(min(pauseFactor*now.Sub(s.dialled), maxPause))
		if s.u.works() {
			s.u.crowded = now.Add(maxCrowded)
		}
	}
	s.close()
	left := s.pending
	s.pending = nil
	s.rewarm()
	s.u.mu.Unlock()
	for _, x := range left {
		x.streamFailed(s, err, s.open || x.begun.After(s.dialled))
	}
}

// After a connection of no use there is none for some times as long as it took to
// find that out, so that the resolver is not bothered with a handshake for each
// query. Queries wait: it may be back by then.
const (
	pauseFactor = 20
	maxPause    = 100 * time.Millisecond
)

// pause waits until the resolver may be dialled.
func (s *stream) pause() {
	s.u.mu.Lock()
	left := time.Until(s.u.redial)
	s.u.mu.Unlock()
	if left > 0 {
		select {
		case <-time.After(left):
		case <-s.ctx.Done():
		}
	}
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	s.dialled = time.Now()
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
	dialling, cancel := context.WithTimeout(s.ctx, s.u.cfg.Timeout/2)
	defer cancel()
	if s.u.cfg.DialExchanger != nil {
		conn, err := s.u.cfg.DialExchanger(dialling, s.u.address())
		if err != nil {
			return err
		}
		s.serveExchanger(conn)
		return nil
	}
	conn, err := s.u.dial(dialling, "tcp")
	if err != nil {
		return err
	}
	return s.serveConn(conn)
}

// opened notes that the connection is there. For what waited for the first it is a
// sign of life, and no silence: handshakes may have taken most of patience. u.mu is
// held.
func (s *stream) opened() {
	s.open = true
	s.heard = time.Now()
	for _, x := range s.pending {
		if x.dials == 1 && x.udp == untried {
			x.watched = s.heard
		}
	}
}

// serveConn writes what is queued.
func (s *stream) serveConn(conn net.Conn) error {
	defer conn.Close()
	defer context.AfterFunc(s.ctx, func() { conn.Close() })()
	s.u.mu.Lock()
	s.opened()
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
		if x := s.pending[id]; x != nil {
			b = binary.BigEndian.AppendUint16(b, uint16(len(x.msg)))
			b = append(b, x.msg...)
			wire.Header(b[len(b)-len(x.msg):]).SetID(id)
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

// received takes one message. It reports whether that answers anything.
func (s *stream) received(msg []byte) bool {
	if len(msg) < wire.HeaderSize {
		return false
	}
	now := time.Now()
	s.u.mu.Lock()
	id := wire.Header(msg).ID()
	x := s.pending[id]
	if x == nil || !matches(x.msg, msg) {
		s.u.mu.Unlock()
		return false
	}
	delete(s.pending, id)
	s.heard, s.used = now, true
	back := s.u.heard(now)
	if x.packets == 0 { // too long a time, if it was asked again; the next is better then
		s.u.streamRTT.sample(now.Sub(x.begun))
	}
	if x.udp == underway && x.packets >= maxPackets {
		// Three losses, or sockets whose source address no longer leads anywhere.
		s.u.retireSockets()
	}
	var to Receiver
	var err error
	switch {
	case x.withoutEDNS(msg):
		x.streams--
		s.ask(x, now)
	default:
		if err = usable(msg, TruncatedAnswers); err == nil {
			to = x.end()
		}
	}
	if back != nil && !x.done { // it was in no table
		back.waiting = append(back.waiting, x.to)
	}
	s.endLeft()
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
	return true
}

var (
	errClosed  = errors.New("connection closed by the upstream")
	errGivenUp = errors.New("connection without replies given up")
	errNoOpen  = errors.New("no connection in time")
)

// plainly is why a connection came to nothing, in words for users.
func plainly(err error) error {
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errClosed
	case errors.Is(err, context.DeadlineExceeded):
		return errNoOpen
	}
	return err
}

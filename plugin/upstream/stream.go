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

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// stream is a connection that is shared by exchanges: TCP or TLS, to which their
// queries are written as they come, and from which replies are read in any order
// (RFC 7766, sections 6.2.1.1 and 7); or an [RoundTripper].
type stream struct {
	u      *Upstream
	ctx    context.Context // done: the stream is closed
	cancel context.CancelFunc
	queued chan struct{}  // queue has something to write
	all    sync.WaitGroup // workers

	// Guarded by u.mu.
	dialled time.Time // when dialling began
	open    bool      // else it is being dialled
	leaving bool      // it takes no more queries
	pending ports.Table[Exchange]
	queue   []uint16     // ids of those yet to be sent
	heard   time.Time    // when it brought a reply, or was opened
	owing   time.Time    // since when it owes a reply
	used    bool         // it brought a reply
	tripper RoundTripper // nil: a connection that is written to and read from
	workers []*worker
	idle    sync.Cond // that the queue has something for them, or the stream is closed
	idlers  int       // workers that wait for it
}

func newStream(u *Upstream) *stream {
	ctx, cancel := context.WithCancel(context.Background())
	return &stream{u: u, ctx: ctx, cancel: cancel, queued: make(chan struct{}, 1)}
}

// askLocked queues x's query.
func (s *stream) askLocked(x *Exchange, now time.Time) {
	if s.pending.Len() == 0 {
		s.owing = now
	}
	s.u.streamed = now
	x.due = now.Add(s.u.stallAfterLocked())
	if s.pending.Full() { // ids run low; it is tried again when due
		return
	}
	if x.full != nil {
		x.msg, x.full = x.full, nil
	}
	x.stream = s
	x.owed++
	x.dials++
	s.queue = append(s.queue, s.pending.Add(x, s.u.random))
	if s.tripper != nil {
		s.hireLocked()
		return
	}
	select {
	case s.queued <- struct{}{}:
	default:
	}
}

// freeLocked reports whether another query would not have to wait for those under way.
func (s *stream) freeLocked(now time.Time) bool {
	return s.pending.Len() == 0 || s.tripper != nil && s.pending.Len() < maxWorkers && !s.stalledLocked(now)
}

// stalledLocked reports whether the server has kept a query waiting for long.
func (s *stream) stalledLocked(now time.Time) bool {
	since := now.Add(-s.u.stallAfterLocked())
	return s.pending.Len() > 0 && !s.owing.After(since) && !s.heard.After(since)
}

// closeLocked takes s off the upstream's list and ends it; run takes care of what is
// pending.
func (s *stream) closeLocked() {
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
	var out outbox
	now := time.Now()
	s.u.mu.Lock()
	if s.ctx.Err() != nil {
		err = errGivenUp
	} else if !s.used {
		s.u.redial = now.Add(min(pauseFactor*now.Sub(s.dialled), maxPause))
		if s.u.worksLocked() && !s.suspectLocked() {
			s.u.crowded = now.Add(maxCrowded)
		}
	}
	s.closeLocked()
	left := s.pending
	s.pending = ports.Table[Exchange]{}
	s.rewarmLocked()
	for _, x := range left.All() {
		x.streamEndedLocked(s, err, s.open || x.begun.After(s.dialled), now, &out)
	}
	s.u.mu.Unlock()
	s.u.do(&out)
}

// suspectLocked reports whether one of the queries may be why the connection has ended:
// another had ended with that query before.
func (s *stream) suspectLocked() bool {
	for _, x := range s.pending.All() {
		if x.dials+x.hangups > 1 {
			return true
		}
	}
	return false
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

// rewarmLocked opens another connection in the place of s, if one is to be held open.
// A resolver that closes connections which it did not use is let be.
func (s *stream) rewarmLocked() {
	now := time.Now()
	if s.used && len(s.u.streams) == 0 && !s.u.draining && s.u.link != link.Gone && now.Sub(s.u.streamed) < s.u.cfg.Warm {
		s.u.streamLocked(now, time.Time{})
	}
}

func (s *stream) serve() error {
	dialling, cancel := context.WithTimeout(s.ctx, s.u.cfg.Timeout/2)
	defer cancel()
	s.u.mu.Lock()
	to, gone := s.u.peer, s.u.link == link.Gone
	s.u.mu.Unlock()
	if gone {
		return ErrLinkGone
	}
	if s.u.cfg.DialRoundTripper != nil {
		conn, err := s.u.cfg.DialRoundTripper(dialling, to)
		if err != nil {
			return err
		}
		s.serveRoundTripper(conn)
		return nil
	}
	conn, err := s.u.cfg.Dial(dialling, to)
	if err != nil {
		return err
	}
	return s.serveConn(conn)
}

// openedLocked notes that the connection is there. For what waited for the first it is a
// sign of life, and no silence: handshakes may have taken most of patience. What was
// asked over UDP in vain gives it some time.
func (s *stream) openedLocked() {
	s.open = true
	s.heard = time.Now()
	least := s.heard.Add(leastStall - s.u.patienceLocked())
	for _, x := range s.pending.All() {
		switch {
		case x.dials != 1:
		case x.packets == 0:
			x.watched = s.heard
		case x.watched.Before(least):
			x.watched = least
		}
	}
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
	var out outbox
	now := time.Now()
	s.u.mu.Lock()
	answers := s.receivedLocked(msg, now, &out)
	s.u.mu.Unlock()
	s.u.do(&out)
	return answers
}

func (s *stream) receivedLocked(msg []byte, now time.Time, out *outbox) bool {
	id := wire.Header(msg).ID()
	x := s.pending.Get(id)
	if x == nil || !matches(x.msg, msg) {
		return false
	}
	s.pending.Remove(id)
	x.owed--
	s.heard, s.used = now, true
	if x.packets == 0 { // too long a time, if it was asked again; the next is better then
		s.u.streamRTT.sample(now.Sub(x.begun))
	}
	x.repliedLocked(msg, nil, s, now, out)
	s.endLeftLocked()
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

package secure

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// Codes of RFC 9250, section 4.3.
const (
	noError          quic.ApplicationErrorCode = 0
	requestCancelled quic.StreamErrorCode      = 3
)

// keepAlive is how often an idle connection is used at the least, so that neither side
// closes it and boxes on the way remember it. It is more often if the server closes sooner.
const keepAlive = 15 * time.Second

var errNoReply = errors.New("stream closed by the upstream without a reply")

// QUIC dials DNS over QUIC.
func QUIC(cfg *tls.Config) DialRoundTripper {
	return func(ctx context.Context, to udp.Peer) (upstream.RoundTripper, error) {
		cfg := config(cfg, to, "doq")
		cfg.MinVersion = tls.VersionTLS13
		socket, err := to.ListenUDP(ctx)
		if err != nil {
			return nil, err
		}
		t := &quic.Transport{Conn: socket}
		conn, err := t.Dial(ctx, to.UDPAddr(), cfg, &quic.Config{KeepAlivePeriod: keepAlive})
		if err != nil {
			t.Close()
			socket.Close()
			return nil, err
		}
		context.AfterFunc(conn.Context(), func() {
			t.Close() // after CONNECTION_CLOSE was sent
			socket.Close()
		})
		return quicConn{conn}, nil
	}
}

type quicConn struct{ conn *quic.Conn }

func (c quicConn) Done() <-chan struct{} { return c.conn.Context().Done() }
func (c quicConn) Close() error          { return c.conn.CloseWithError(noError, "") }

// RoundTrip implements upstream.RoundTripper (RFC 9250, section 4.2).
func (c quicConn) RoundTrip(ctx context.Context, msg []byte) ([]byte, error) {
	s, err := c.conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	reply, err := exchange(ctx, s, msg)
	var reset *quic.StreamError
	switch {
	case err == nil && ended(s):
		return reply, nil
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		err = upstream.QueryError{Err: errNoReply}
	case errors.As(err, &reset) && reset.Remote:
		err = upstream.QueryError{Err: err}
	}
	s.CancelRead(requestCancelled)
	s.CancelWrite(requestCancelled)
	return reply, err
}

func exchange(ctx context.Context, s *quic.Stream, msg []byte) ([]byte, error) {
	defer context.AfterFunc(ctx, func() {
		s.CancelRead(requestCancelled)
		s.CancelWrite(requestCancelled)
	})()
	if _, err := s.Write(frame(msg)); err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil { // sends FIN
		return nil, err
	}
	return readFrame(s)
}

// endWait is how long after the reply the end of a stream may come. To cancel the stream
// would cost both sides a packet.
const endWait = 10 * time.Millisecond

// ended reports whether nothing follows the reply.
func ended(s *quic.Stream) bool {
	s.SetReadDeadline(time.Now().Add(endWait))
	_, err := s.Read(make([]byte, 1))
	return err == io.EOF
}

func frame(msg []byte) []byte {
	return append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(msg)), uint16(len(msg))), msg...)
}

// readFrame reads a message with its length before it. What is there already is
// read in one go.
func readFrame(r io.Reader) ([]byte, error) {
	buf := buffers.Get().(*[1500]byte)
	defer buffers.Put(buf)
	n, err := io.ReadAtLeast(r, buf[:], 2)
	if err != nil {
		return nil, err
	}
	msg := make([]byte, binary.BigEndian.Uint16(buf[:]))
	n = copy(msg, buf[2:n])
	_, err = io.ReadFull(r, msg[n:])
	return msg, err
}

// buffers hold what most replies fit in.
var buffers = sync.Pool{New: func() any { return new([1500]byte) }}

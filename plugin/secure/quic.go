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

	"github.com/dnsmus/dnsmus/plugin/ports"
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
		socket, err := ports.ListenUDP(ctx, to)
		if err != nil {
			return nil, err
		}
		t := &quic.Transport{Conn: socket}
		conn, err := t.Dial(ctx, to.UDPAddr(), cfg, &quic.Config{
			KeepAlivePeriod:                keepAlive,
			InitialStreamReceiveWindow:     maxUnread,
			MaxStreamReceiveWindow:         maxUnread,
			InitialConnectionReceiveWindow: maxWindow,
			MaxConnectionReceiveWindow:     maxWindow,
			MaxIncomingStreams:             -1, // servers open none (RFC 9250, section 4.2)
			MaxIncomingUniStreams:          -1,
		})
		if err != nil {
			t.Close()
			socket.Close()
			return nil, err
		}
		context.AfterFunc(conn.Context(), func() {
			t.Close() // after CONNECTION_CLOSE was sent
			socket.Close()
		})
		return quicConn{conn, make(chan struct{}, maxEnds)}, nil
	}
}

type quicConn struct {
	conn *quic.Conn
	ends chan struct{} // of streams that are awaited
}

func (c quicConn) Done() <-chan struct{} { return c.conn.Context().Done() }
func (c quicConn) Close() error          { return c.conn.CloseWithError(noError, "") }

// RoundTrip implements upstream.RoundTripper (RFC 9250, section 4.2).
func (c quicConn) RoundTrip(ctx context.Context, msg []byte) ([]byte, error) {
	s, err := c.conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	replies := &receiveStream{Stream: s}
	reply, err := exchange(ctx, replies, msg)
	var reset *quic.StreamError
	switch {
	case err == nil:
		if !replies.ended {
			c.awaitEnd(s)
		}
		return reply, nil
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		err = upstream.QueryError{Err: errNoReply}
	case errors.As(err, &reset) && reset.Remote:
		err = upstream.QueryError{Err: err}
	}
	s.CancelRead(requestCancelled)
	s.CancelWrite(requestCancelled)
	return nil, err
}

// receiveStream notes when it has been read up to its end, which is often there with the
// reply.
type receiveStream struct {
	*quic.Stream
	ended bool
}

func (s *receiveStream) Read(b []byte) (int, error) {
	n, err := s.Stream.Read(b)
	s.ended = s.ended || err == io.EOF
	return n, err
}

func exchange(ctx context.Context, s *receiveStream, msg []byte) ([]byte, error) {
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

const (
	endWait = 100 * time.Millisecond // after a reply, in which the end of its stream may come by itself
	maxEnds = 16                     // streams of a connection whose ends are awaited: fewer than any server allows at a time
)

// awaitEnd waits for the end of a stream that has brought its reply, beside whoever takes
// that. To cancel the stream, as is done if the end does not come, costs both sides a packet.
func (c quicConn) awaitEnd(s *quic.Stream) {
	select {
	case c.ends <- struct{}{}:
	default:
		s.CancelRead(requestCancelled)
		return
	}
	go func() {
		s.SetReadDeadline(time.Now().Add(endWait))
		if _, err := s.Read(make([]byte, 1)); err != io.EOF {
			s.CancelRead(requestCancelled)
		}
		<-c.ends
	}()
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

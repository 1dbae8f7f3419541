// Package secure opens encrypted connections to resolvers: DNS over TLS (RFC
// 7858), over HTTPS (RFC 8484) and over QUIC (RFC 9250).
//
// Each function returns a connection that carries messages with their length
// before them, as over TCP (RFC 1035, section 4.2.2), many at a time and replies
// in any order. Over HTTPS and QUIC, where a query has a stream of its own, that
// is made of single exchanges (see [framed]). So package upstream, which calls
// these functions to dial, has one way to share a connection, to notice that it
// stalls, and to ask again on another; and its rules hold for all transports.
//
// The connections are those of crypto/tls, net/http and quic-go. CoreDNS's own
// pkg/proxy is not used: it lets a goroutine wait for each query, which cannot be
// called off, and decides itself about connections, timeouts and health.
package secure

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

const (
	maxMessage = 1<<16 - 1
	maxWait    = 10 * time.Second // for a single reply; far longer than anybody waits
	mediaType  = "application/dns-message"
	path       = "/dns-query"
)

// Dial opens a connection to address, which is an IP address and a port. The
// network is not looked at. When ctx is done the dialling ends, not the
// connection.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// New returns how connections to one server are opened over the transport: "tls",
// "https" or "quic". The server's certificate must be valid for name or, if that
// is empty, for its address. A nil cfg trusts whom the system does. Sessions are
// resumed (RFC 8446, section 2.2).
func New(transport, name string, cfg *tls.Config) Dial {
	own := new(tls.Config)
	if cfg != nil {
		own = cfg.Clone()
	}
	own.ServerName = name
	own.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	dial := TLS(own)
	switch transport {
	case "https":
		dial = HTTPS(own)
	case "quic":
		dial = QUIC(own)
	}
	return distrusting(dial)
}

// distrustTime is how long a certificate that was found bad is not looked at
// again: handshakes are dear to both sides.
const distrustTime = time.Second

// distrusting remembers for a while that the server's certificate is bad.
func distrusting(dial Dial) Dial {
	var (
		mu    sync.Mutex
		bad   error
		since time.Time
	)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		err, age := bad, time.Since(since)
		mu.Unlock()
		if err != nil && age < distrustTime {
			return nil, err
		}
		conn, err := dial(ctx, network, address)
		var verification *tls.CertificateVerificationError
		if errors.As(err, &verification) {
			mu.Lock()
			bad, since = err, time.Now()
			mu.Unlock()
		}
		return conn, err
	}
}

// config returns what cfg says for one address and protocol. The certificate must
// be valid for cfg.ServerName or, if that is empty, for the address.
func config(cfg *tls.Config, address, protocol string) *tls.Config {
	cfg = cfg.Clone()
	cfg.NextProtos = []string{protocol}
	if cfg.ServerName == "" {
		if addr, err := netip.ParseAddrPort(address); err == nil {
			cfg.ServerName = addr.Addr().WithZone("").String()
		}
	}
	return cfg
}

// TLS dials DNS over TLS.
func TLS(cfg *tls.Config) Dial {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		d := tls.Dialer{Config: config(cfg, address, "dot")}
		return d.DialContext(ctx, "tcp", address)
	}
}

// HTTPS dials DNS over HTTPS with HTTP/2, and asks by POST at /dns-query.
func HTTPS(cfg *tls.Config) Dial {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		var protocols http.Protocols
		protocols.SetHTTP2(true)
		own := config(cfg, address, "h2")
		t := &http.Transport{TLSClientConfig: own, Protocols: &protocols}
		conn, err := t.NewClientConn(ctx, "https", address)
		if err != nil {
			return nil, err
		}
		url := "https://" + authority(own.ServerName, address) + path
		exchange := func(ctx context.Context, msg []byte) ([]byte, error) { return post(ctx, conn, url, msg) }
		return newFramed(exchange, func() { conn.Close() }), nil
	}
}

// authority is what a URL calls the server that is at address.
func authority(name, address string) string {
	host := net.JoinHostPort(name, address[strings.LastIndexByte(address, ':')+1:])
	return strings.TrimSuffix(host, ":443")
}

// post makes one exchange over HTTP (RFC 8484, section 4.1).
func post(ctx context.Context, conn *http.ClientConn, url string, msg []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(string(msg)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", mediaType)
	req.Header.Set("Accept", mediaType)
	req.Header.Set("User-Agent", "") // it is nobody's business
	resp, err := conn.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, alone{fmt.Errorf("HTTP status %s", resp.Status)}
	}
	if got, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || got != mediaType {
		return nil, alone{fmt.Errorf("HTTP content of type %q, not %s", resp.Header.Get("Content-Type"), mediaType)}
	}
	reply, err := io.ReadAll(io.LimitReader(resp.Body, maxMessage+1))
	if err == nil && len(reply) > maxMessage {
		err = alone{errTooLong}
	}
	return reply, err
}

// QUIC dials DNS over QUIC.
func QUIC(cfg *tls.Config) Dial {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		own := config(cfg, address, "doq")
		own.MinVersion = tls.VersionTLS13
		conn, err := quic.DialAddr(ctx, address, own, nil)
		if err != nil {
			return nil, err
		}
		exchange := func(ctx context.Context, msg []byte) ([]byte, error) { return ask(ctx, conn, msg) }
		return newFramed(exchange, func() { conn.CloseWithError(noError, "") }), nil
	}
}

// Codes of RFC 9250, section 4.3.
const (
	noError          quic.ApplicationErrorCode = 0
	requestCancelled quic.StreamErrorCode      = 3
)

// ask makes one exchange over a stream of its own (RFC 9250, section 4.2).
func ask(ctx context.Context, conn *quic.Conn, msg []byte) ([]byte, error) {
	s, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	defer s.CancelRead(requestCancelled)
	if deadline, ok := ctx.Deadline(); ok {
		s.SetDeadline(deadline)
	}
	if _, err := s.Write(frame(msg)); err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil { // that is the end of what is sent
		return nil, err
	}
	reply, err := readFrame(s)
	if err != nil && conn.Context().Err() == nil { // the stream ended, the connection did not
		err = alone{err}
	}
	return reply, err
}

func frame(msg []byte) []byte {
	return append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(msg)), uint16(len(msg))), msg...)
}

func readFrame(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	msg := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(r, msg)
	return msg, err
}

package secure

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

const (
	mediaType   = "application/dns-message"
	defaultPath = "/dns-query"
)

// What a server can make an HTTPS or QUIC connection hold: a reply is a message, with few
// headers. The libraries allow 10 MiB of headers, and 4 MiB or more of content.
const (
	maxHeaders = 16 << 10 // bytes, of a reply
	maxUnread  = 1 << 16  // bytes of the content of a reply
	maxWindow  = 1 << 20  // bytes of all contents
)

// HTTPS dials DNS over HTTPS with HTTP/2, and asks by POST. The path may have the query of
// a URL; an empty one is /dns-query.
func HTTPS(cfg *tls.Config, path string) DialRoundTripper {
	path = cmp.Or(path, defaultPath)
	return func(ctx context.Context, to udp.Peer) (upstream.RoundTripper, error) {
		allowed := new(atomic.Int64)
		allowed.Store(allowedUnasked)
		var protocols http.Protocols
		protocols.SetHTTP2(true)
		cfg := config(cfg, to, "h2")
		t := &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				conn, err := ports.Dial(ctx, to)
				if err != nil {
					return nil, err
				}
				return &limitedConn{conn, allowed}, nil
			},
			TLSClientConfig: cfg, Protocols: &protocols, DisableCompression: true,
			MaxResponseHeaderBytes: maxHeaders,
			HTTP2:                  &http.HTTP2Config{MaxReceiveBufferPerStream: maxUnread, MaxReceiveBufferPerConnection: maxWindow},
		}
		conn, err := t.NewClientConn(ctx, "https", to.String())
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequest(http.MethodPost, "https://"+authority(cfg.ServerName, to.Addr.Port())+path, nil)
		if err != nil {
			conn.Close()
			return nil, err
		}
		req.Header.Set("Content-Type", mediaType)
		req.Header.Set("Accept", mediaType)
		req.Header.Set("User-Agent", "") // none: it only identifies the client
		c := &httpsConn{conn: conn, allowed: allowed, request: req, done: make(chan struct{})}
		end := sync.OnceFunc(func() { close(c.done) })
		conn.SetStateHook(func(conn *http.ClientConn) {
			if conn.Err() != nil {
				end()
			}
		})
		return c, nil
	}
}

// authority is the server's part of a URL.
func authority(name string, port uint16) string {
	host := net.JoinHostPort(name, strconv.Itoa(int(port)))
	return strings.TrimSuffix(host, ":443")
}

// What a server may send, in bytes: so much by itself, and so much for each query, of up to
// maxWorth. It can be pings, each of which would be answered, or frames that are of no use.
const (
	allowedUnasked  = 256 << 10
	allowedPerQuery = 128 << 10
	maxWorth        = 100 // queries
)

var errTooMuch = errors.New("connection given up: much more came than was asked for")

// limitedConn ends when more has come than is allowed.
type limitedConn struct {
	net.Conn
	allowed *atomic.Int64
}

func (c *limitedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.allowed.Add(int64(-n)) < 0 {
		return 0, errTooMuch
	}
	return n, err
}

type httpsConn struct {
	conn    *http.ClientConn
	allowed *atomic.Int64
	request *http.Request // that of each query is a copy of
	done    chan struct{}
}

func (c *httpsConn) Done() <-chan struct{} { return c.done }
func (c *httpsConn) Close() error          { return c.conn.Close() }

// RoundTrip implements upstream.RoundTripper (RFC 8484, section 4.1).
func (c *httpsConn) RoundTrip(ctx context.Context, msg []byte) ([]byte, error) {
	if c.allowed.Load() < maxWorth*allowedPerQuery {
		c.allowed.Add(allowedPerQuery)
	}
	req := c.request.WithContext(ctx)
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(bytes.Clone(msg))), int64(len(msg))
	resp, err := c.conn.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, upstream.QueryError{Err: fmt.Errorf("HTTP status %s", resp.Status)}
	}
	if got := resp.Header.Get("Content-Type"); !isMessage(got) {
		return nil, upstream.QueryError{Err: fmt.Errorf("HTTP content of type %q, not %s", got, mediaType)}
	}
	return read(resp)
}

// isMessage reports whether a Content-Type is that of DNS messages.
func isMessage(value string) bool {
	if value == mediaType {
		return true
	}
	got, _, err := mime.ParseMediaType(value)
	return err == nil && got == mediaType
}

// read returns the content, with one allocation if its length is known.
func read(resp *http.Response) ([]byte, error) {
	if n := resp.ContentLength; n >= 0 && n <= maxMessage {
		msg := make([]byte, n)
		_, err := io.ReadFull(resp.Body, msg)
		return msg, err
	}
	msg, err := io.ReadAll(io.LimitReader(resp.Body, maxMessage+1))
	if err == nil && len(msg) > maxMessage {
		err = upstream.QueryError{Err: errTooLong}
	}
	return msg, err
}

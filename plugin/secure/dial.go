package secure

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// Dial opens a connection. When ctx is done the dialling ends, but not a connection that
// was opened.
type Dial func(ctx context.Context, to udp.Peer) (net.Conn, error)

// DialRoundTripper likewise opens a connection.
type DialRoundTripper func(ctx context.Context, to udp.Peer) (upstream.RoundTripper, error)

// config returns what cfg says for one peer and protocol. The certificate must be valid
// for cfg.ServerName or, if that is empty, for the address.
func config(cfg *tls.Config, to udp.Peer, protocol string) *tls.Config {
	cfg = cfg.Clone()
	cfg.NextProtos = []string{protocol}
	if cfg.ServerName == "" {
		cfg.ServerName = to.Addr.Addr().String()
	}
	return cfg
}

const maxMessage = 1<<16 - 1

var errTooLong = errors.New("reply is too long")

// Package secure opens encrypted connections to resolvers: DNS over TLS (RFC
// 7858), over HTTPS (RFC 8484) and over QUIC (RFC 9250).
//
// Package upstream shares these connections, notices that one stalls, and asks
// again on another; so its rules hold for all transports. A connection of TLS is
// to it like one of TCP. Over HTTPS and QUIC each query has a stream of its own,
// so these are each a [upstream.RoundTripper].
//
// The connections are those of crypto/tls, net/http and quic-go, which are kept
// well, let an exchange be called off, and bound what a server can make them hold.
// CoreDNS's own pkg/proxy is not used: it decides itself about connections,
// timeouts and health.
package secure

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

const maxMessage = 1<<16 - 1

var errTooLong = errors.New("reply is too long")

// dialers has a row for each encrypted transport.
var dialers = map[server.Transport]func(to *upstream.Config, id server.ID, cfg *tls.Config){
	server.TLS:   func(to *upstream.Config, _ server.ID, cfg *tls.Config) { to.Dial = TLS(cfg) },
	server.HTTPS: func(to *upstream.Config, id server.ID, cfg *tls.Config) { to.DialRoundTripper = HTTPS(cfg, id.Path) },
	server.QUIC:  func(to *upstream.Config, _ server.ID, cfg *tls.Config) { to.DialRoundTripper = QUIC(cfg) },
}

// Use has to's resolver, which is id, spoken to over an encrypted transport. Its
// certificate must be valid for id's name or, if that is empty, for its address. A nil
// cfg trusts whom the system does. Sessions are resumed (RFC 8446, section 2.2). Over a
// transport that is none of these every dial fails; nothing is sent in plain text.
//
// If only the name is known, lookup finds the address when there is something to ask.
// What it found last is kept while it finds nothing.
func Use(to *upstream.Config, id server.ID, cfg *tls.Config, lookup Lookup) {
	if cfg == nil {
		cfg = new(tls.Config)
	}
	cfg = cfg.Clone()
	cfg.ServerName = id.Name
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	to.ForceTCP = true // there is nothing else to fall back to
	to.Dial = func(context.Context, udp.Peer) (net.Conn, error) {
		return nil, fmt.Errorf("no encrypted connections over transport %s", id.Transport)
	}
	if use, ok := dialers[id.Transport]; ok {
		use(to, id, cfg)
	}
	if id.NeedsBootstrap() {
		h := &host{name: id.Name, port: id.Addr.Port(), lookup: lookup}
		to.Dial = h.dial(to.Dial)
		if to.DialRoundTripper != nil {
			to.DialRoundTripper = h.dialRoundTripper(to.DialRoundTripper)
		}
	}
}

// Dial opens a connection. When ctx is done the dialling ends, not the connection.
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

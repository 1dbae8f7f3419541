// Package secure opens encrypted connections to resolvers: DNS over TLS (RFC
// 7858), over HTTPS (RFC 8484) and over QUIC (RFC 9250).
//
// Package upstream shares these connections, notices that one stalls, and asks
// again on another; so its rules hold for all transports. To it a connection over TLS is
// like one over TCP. Over HTTPS and QUIC each query has a stream of its own; such a
// connection is an [upstream.RoundTripper].
//
// The connections are those of crypto/tls, net/http and quic-go, which are well
// maintained, can cancel an exchange, and bound what a server can make them hold.
// CoreDNS's own pkg/proxy is not used: it decides itself about connections,
// timeouts and health.
package secure

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// dialers has a row for each encrypted transport.
var dialers = map[server.Transport]func(to *upstream.Config, id server.ID, cfg *tls.Config){
	server.TLS:   func(to *upstream.Config, _ server.ID, cfg *tls.Config) { to.Dial = TLS(cfg) },
	server.HTTPS: func(to *upstream.Config, id server.ID, cfg *tls.Config) { to.DialRoundTripper = HTTPS(cfg, id.Path) },
	server.QUIC:  func(to *upstream.Config, _ server.ID, cfg *tls.Config) { to.DialRoundTripper = QUIC(cfg) },
}

// Use makes to dial the server id over its encrypted transport. The certificate must be
// valid for id's name or, if that is empty, for its address. A nil cfg trusts the
// certificate authorities of the system. Sessions are resumed (RFC 8446, section 2.2). With
// another transport every dial fails; nothing is sent in plain text.
//
// If only the name is known, bootstrap finds the addresses when a connection is opened.
// The last ones stay in use while it finds none.
func Use(to *upstream.Config, id server.ID, cfg *tls.Config, bootstrap Bootstrap) {
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
		h := &host{name: id.Name, port: id.Addr.Port(), bootstrap: bootstrap}
		to.Dial = h.dial(to.Dial)
		if to.DialRoundTripper != nil {
			to.DialRoundTripper = h.dialRoundTripper(to.DialRoundTripper)
		}
	}
}

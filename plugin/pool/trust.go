package pool

import (
	"sync/atomic"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// trust says whether an upstream may give private addresses (R22).
type trust struct {
	limited bool        // it may not, but for what follows
	byLink  bool        // it may while it is reached over a tunnel
	tunnel  atomic.Bool // it is, or was when that was last looked at
	ofVPN   atomic.Bool // as [server.Server] has it
}

// init takes down what the option private_from says about an upstream.
func (t *trust) init(from *option.PrivateFrom, s server.Server) {
	t.limited = !from.Allows(s.ID)
	t.byLink = t.limited && from.VPN
	t.ofVPN.Store(s.VPN)
}

// lookAt looks how the upstream is reached now.
func (t *trust) lookAt(s server.Server) {
	if t.byLink {
		t.tunnel.Store(link.IsTunnel(s.Link, s.Addr.Addr()))
	}
}

package pool

import (
	"context"
	"net"
	"time"

	"github.com/dnsmus/dnsmus/plugin/account"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// Config says how the upstreams of a pool are asked.
type Config struct {
	option.Values

	// Observe returns the observer of an upstream; nil: there is none.
	Observe func(server.Server) upstream.Observer
	// Differ is called once when two upstreams are found to give different answers in a
	// zone (R17), unless it is nil.
	Differ func(zone string, a, b *Member)
	// Ended is called when a reply that is kept is asked for the first time after a change has
	// ended its life, Evicted when one makes room for another, unless they are nil (R24).
	Ended, Evicted func()
	// Account returns where it is counted what becomes of an upstream's part in races; nil: it is
	// not.
	Account func(server.Server) *account.Upstream
	// Over is called when a race of clients is over, before they have its outcome, in the
	// goroutine that waited for it; nil: nobody wants to know. It returns whether somebody wants to
	// know of all replies that come late, too.
	Over func(Told) (late bool)
	// LateReply is called with each good answer that shows a denial to be wrong, and with all
	// replies that come when a race is over of which Over has said so; nil: with none.
	LateReply func(LateReply)
	// Watched reports whether Over may say so.
	Watched func() bool
	// Late is called once if changes of network interfaces are noticed late, with the
	// reason, unless it is nil.
	Late func(error)

	// Tests set these, so that no machine is too slow for them; 0 is what users have.
	Hedge  time.Duration // how long one upstream alone is waited for (R16)
	Grace  time.Duration // how long a better answer is (R17)
	Second time.Duration // how long the addresses of one family wait for those of the other
	Ports  *ports.Ports  // that queries leave from, in virtual time; nil is what users have
	// Dial opens streams in virtual time; nil is what users have.
	Dial func(ctx context.Context, to udp.Peer) (net.Conn, error)
}

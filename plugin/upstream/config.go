package upstream

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// MaxUDPSize is the reply size that upstreams are told to keep to over UDP: what
// passes the tunnels of VPNs in one piece (RFC 9715, section 3.1). It concerns
// this hop alone (RFC 6891, section 6.2.3), the client's own size stays.
const MaxUDPSize = 1232

// Config says which resolver to ask, and how.
type Config struct {
	Addr netip.AddrPort // without a zone, which is a link; see [Upstream.Link]
	Name string         // of the upstream in messages; empty: its address

	// Timeout is how long an exchange is waited for. Half of it bounds the dialling of a
	// TCP connection, and is when an exchange goes over to TCP at the latest.
	Timeout time.Duration
	// Patience is the silence that makes an upstream down. An exchange that is not waited
	// for is remembered so long, but not longer than Timeout.
	Patience time.Duration

	ForceTCP bool // UDP is never used

	// Warm is how long after a query over TCP a connection is held open for the
	// next, and opened again if the resolver closes it. Zero is as long as an idle
	// one may stay, and not again.
	Warm time.Duration

	// Suspect reports whether a reply over UDP may be forged, so that the true one is
	// welcome after it. It is called with locks held; nil suspects none.
	Suspect func(reply []byte) bool

	// LookAtLink looks at the upstream's link anew and calls [Upstream.Link], before it
	// returns, with what it has found. It is called without locks held. Nil: there is no
	// link, or its changes are all told by themselves.
	LookAtLink func()

	// Observer takes note of what happens, unless it is nil.
	Observer Observer

	// Ports are what it is asked from over UDP. Nil means ports of its own.
	Ports *ports.Ports

	// Tidier calls the upstream when something is due at a whole second. Nil means one of its own.
	Tidier *Tidier

	// Dial opens a connection to a peer, over its link if it has one. When ctx is done the
	// dialling ends, not the connection. Nil means TCP.
	Dial func(ctx context.Context, to udp.Peer) (net.Conn, error)

	// DialRoundTripper, unless it is nil, likewise opens what is used in the place of TCP.
	DialRoundTripper func(ctx context.Context, to udp.Peer) (RoundTripper, error)
}

// RoundTripper is a connection on which each query has a stream of its own, as over
// HTTPS and QUIC. Its methods may be called from any goroutine.
type RoundTripper interface {
	// RoundTrip asks msg, whose id is 0, and returns the reply. It returns early
	// when ctx is done or the connection is closed. The connection is asked no
	// more after any error but a [QueryError].
	RoundTrip(ctx context.Context, msg []byte) (reply []byte, err error)
	// Done is closed when the connection has ended.
	Done() <-chan struct{}
	Close() error
}

// QueryError is why one query failed on a connection that is all right.
type QueryError struct{ Err error }

func (e QueryError) Error() string { return e.Err.Error() }
func (e QueryError) Unwrap() error { return e.Err }

// Query is one message to be asked.
type Query struct {
	Msg    []byte // a packed query with one question; its id is replaced. It must not be changed any more
	Stream bool   // ask over TCP first

	// OverLink has it asked over the upstream's link alone: where routes would decide, it
	// waits as if the link were gone. It is without effect where sockets cannot be bound.
	OverLink bool

	// Truncated says which truncated replies are usable; for others the query goes over
	// TCP.
	Truncated Truncated

	// UDPSize is the size of replies over UDP that the client takes (RFC 6891, section
	// 6.2.3). If it is more than the message says, it is asked for when a reply was
	// truncated and TCP does not help.
	UDPSize uint16

	probe     bool   // no client asks it, so it is no end of a pause
	bothPaths bool   // ask over UDP and a stream
	count     uint32 // see questionCount; 0: it was not found yet
}

// Truncated says which truncated replies are usable for the client.
type Truncated uint8

const (
	TruncatedAnswers Truncated = iota // those that hold answers to the question
	TruncatedNever                    // none: the client is on TCP itself
	TruncatedAlways                   // all: the reply is signed, so no one but the server may shorten a whole one
)

// Package upstream speaks with one DNS resolver. It knows sockets, ids, loss
// and silence, and nothing of races, verdicts or CoreDNS.
//
// # Shape
//
// An [Upstream] has a part ([socket]) in each of the few UDP ports, with numbers that
// nobody can predict, which the upstreams of a pool share ([ports.Ports]), and a few pipelined
// TCP connections ([stream]) of its own. Each has a table of pending ids; a port and a
// connection has one reader goroutine. The first packets of a race leave together, as a
// [Batch]. A query to a resolver, an
// [Exchange], is an entry in such a table: it costs no goroutine, no socket and
// no timer of its own. Whoever waits for it drives it by calling
// [Exchange.Retry] when Retry said it wants to be called; so a waiting race has
// one timer for all its exchanges, and exchanges whose race is over send
// nothing more but still teach the round-trip time when their reply comes.
//
// One mutex an upstream guards all its state; functions whose names end in Locked
// are called with it held. While it is held no call is made that could wait: of
// system calls only the opening of a UDP port and the closing of any socket, of a
// [Receiver]'s methods only Waiting. All other work goes into an [outbox], and is
// done when the lock is let go.
//
// How far an exchange has come over its two ways, UDP and a stream, is a [phase];
// what comes next is decided by [phase.next], which is pure. A reply is taken in
// one place, whatever it came over: [Exchange.repliedLocked]. Whether the upstream
// talks is its [presence].
//
// # Which transport
//
// An exchange begins over UDP, or over TCP if [Query.Stream] asks for it; but where
// that way has brought nothing lately and the other one did, over the other (see
// [way]). It goes on over TCP when the UDP reply is truncated or malformed, when three
// packets stay unanswered, when UDP fails with an error, and after a near miss (see
// [socket.nearMissLocked]). It falls back to UDP when TCP fails, or cannot be opened
// soon, before UDP was tried: many resolvers sit behind filters that let only one of
// the two pass. For the same reason a failure of TCP does not end an exchange that has
// been asked over UDP: three packets without a reply are more often a name that takes
// long than three losses, and a slow answer must not become a denial. Where it was
// losses, and TCP is closed, it is asked once more, and then the price is that the race
// takes until its timeout.
//
// An ICMP error or a send error is retried once on a fresh socket (R10). A second one
// ends the way over UDP, at once. An error that is about this moment alone is a lost
// packet.
//
// A resolver that does not take EDNS is asked once more without it (see [edns]), and a
// truncated reply is kept for the case that there is none over TCP.
//
// # Down
//
// An upstream that is silent over both ways is down until it speaks (see [presence]).
// Before it is taken to be, it is asked something that takes no time: on a quiet machine
// a name that takes long would look like silence. One that is silent to a type of
// question alone is deaf to it (see [hearing]), and not waited for then. A down upstream
// is asked with one packet a query, and probed once a second: under a
// cache a name that only it knows is asked too seldom to notice its return, and
// the first query after that return would be denied once more. When it speaks,
// whoever still waits for it asks once more at once.
//
// # Connections
//
// A stream is shared, but the first idle one of a few is taken: some resolvers
// (dnsmasq is one) answer a connection's queries strictly one after another,
// and a slow name must not hold up the others. One that has owed a reply for long
// makes room for another, but is still read from until it owes nothing. Where a
// resolver refuses another beside those that work, or leaves it unanswered, these are
// used for a while: many allow a client only a few. And a query whose connections
// ended twice without a reply gets one of its own, for it may be what ends them, or
// have shared them with such a query.
package upstream

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

const (
	maxStreams = 4                // TCP connections in use at a time
	maxOpen    = 40               // the same with those that only owe replies yet: more than stall within the usual timeout
	maxIdle    = 10 * time.Second // a TCP connection's, before it is closed (RFC 7766, section 6.2.3)
	maxPackets = 3                // UDP packets an exchange (RFC 9520, section 3.1)
	maxDials   = 3                // TCP connections an exchange (likewise) that were of no use
	maxHangups = 16               // those that were, but ended too early for it: the queries of others may have ended them
	maxCrowded = 5 * time.Second  // then another connection is tried
	tidyEvery  = time.Second

	maxAgeDown = 2 * time.Second // a port's, while an upstream is down: some box on the way may have lost it, and know the port
)

// MaxUDPSize is the reply size that upstreams are told to keep to over UDP: what
// passes the tunnels of VPNs in one piece (RFC 9715, section 3.1). It concerns
// this hop alone (RFC 6891, section 6.2.3), the client's own size stays.
const MaxUDPSize = 1232

// Config says which resolver to speak with, and how.
type Config struct {
	Addr netip.AddrPort // without a zone, which is a link; see [Upstream.Link]
	Name string         // of the upstream in messages; empty: its address

	// Timeout is how long somebody waits for an exchange. Half of it bounds the
	// dialling of a TCP connection, and is when an exchange goes over to TCP at the
	// latest.
	Timeout time.Duration
	// Patience is the silence that makes an upstream down. An exchange that nobody
	// waits for is remembered so long, but not longer than Timeout.
	Patience time.Duration

	ForceTCP bool // UDP is never used

	// Warm is how long after a query over TCP a connection is held open for the
	// next, and opened again if the resolver closes it. Zero is as long as an idle
	// one may stay, and not again.
	Warm time.Duration

	// Doubtful reports whether a reply over UDP may be forged, so that the true one is
	// welcome after it. It is called with locks held; nil doubts none.
	Doubtful func(reply []byte) bool

	// Observer is told what happens; nil tells nobody.
	Observer Observer

	// Ports are what it is asked from over UDP. Nil means ports of its own.
	Ports *ports.Ports

	// Dial opens a connection to a peer, over its link if it has one. When ctx is done the
	// dialling ends, not the connection. Nil means TCP.
	Dial func(ctx context.Context, to udp.Peer) (net.Conn, error)

	// DialRoundTripper, unless it is nil, likewise opens what is used in the place of TCP.
	DialRoundTripper func(ctx context.Context, to udp.Peer) (RoundTripper, error)
}

// Query is one message to be asked.
type Query struct {
	Msg    []byte // a packed query with one question; its id is replaced. It must not be changed any more
	Stream bool   // ask over TCP first

	// Truncated says which truncated replies are of use; for others the query
	// goes over TCP.
	Truncated Truncated

	// UDPSize is the size of replies over UDP that the client takes (RFC 6891, section
	// 6.2.3). If it is more than the message says, it is asked for when a reply was
	// truncated and TCP is of no use.
	UDPSize uint16

	everyWay bool // ask over UDP and a stream
}

// Truncated says which truncated replies are of use to the client.
type Truncated uint8

const (
	TruncatedAnswers Truncated = iota // those that hold answers
	TruncatedNever                    // none: the client is on TCP itself
	TruncatedAlways                   // all: the reply is signed, so nobody else may shorten a whole one
)

// Receiver is told what becomes of an exchange. Its methods are called from any
// goroutine, also from within Ask and Retry, and must not block.
type Receiver interface {
	// Reply takes the resolver's reply, which came at that time, over a stream or over
	// UDP: well-formed, of the same question, its id to be ignored. Nothing follows,
	// unless it is doubtful: then another reply may, or a failure.
	Reply(msg []byte, at time.Time, stream bool)
	// Fail says that the exchange ended without a reply. It is called at most
	// once, and nothing follows.
	Fail(err error)
	// Presence says that the upstream is down, or up again: its turn-th change, counted
	// from 1. Goroutines may bring two of them in any order, so one whose turn is not
	// greater than that of another before it is old, and of no interest. From a down
	// upstream a reply may come all the same.
	Presence(down bool, turn uint64)
	// Again says that Retry has something to do now.
	Again()
	// Unresponsive says that the upstream never answers questions of this type, though it
	// answers others. A reply may come all the same.
	Unresponsive()
	// Waiting reports whether a reply is still of use. It is called with locks
	// held, and must do no more than look.
	Waiting() bool
}

// Upstream is one resolver. Its methods may be called from any goroutine.
type Upstream struct {
	cfg Config

	mu        sync.Mutex
	peer      udp.Peer
	link      link.State            // Gone: nothing is sent
	stranded  ports.Table[Exchange] // exchanges that wait for the link
	random    *ports.Random
	rtt       rtt // over UDP
	presence  presence
	sockets   [ports.InUse]*socket
	retired   []*socket // no longer sent on, still read from
	streams   []*stream
	streamRTT rtt
	streamed  time.Time // when a query last went over TCP
	redial    time.Time // no connection is dialled before
	crowded   time.Time // so long the resolver is taken to allow no more connections
	tidying   bool      // a call of tidy is scheduled
	draining  bool      // Close was called
}

// New returns an upstream. It opens nothing: sockets are opened by the first
// Ask, and closed when they have not been of use for some seconds.
func New(cfg Config) *Upstream {
	if cfg.Dial == nil {
		cfg.Dial = ports.Dial
	}
	if cfg.Ports == nil {
		cfg.Ports = ports.New()
	}
	if cfg.Observer == nil {
		cfg.Observer = unobserved{}
	}
	cfg.Name = cmp.Or(cfg.Name, cfg.Addr.String())
	return &Upstream{cfg: cfg, peer: udp.Peer{Addr: cfg.Addr}, link: link.Bound, random: new(ports.Random)}
}

// String is the upstream's name.
func (u *Upstream) String() string { return u.cfg.Name }

// Close lets go of all sockets: of those in use as soon as nothing waits for a
// reply on them. An Ask after Close is still served.
func (u *Upstream) Close() {
	var out outbox
	u.mu.Lock()
	u.draining = true
	u.tidyLocked(false, time.Now(), &out)
	u.mu.Unlock()
	u.do(&out)
}

var (
	errMalformed = errors.New("malformed reply")
	errTruncated = errors.New("truncated reply")
	errNearMiss  = errors.New("reply with a wrong id")
)

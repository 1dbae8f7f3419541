package upstream

import (
	"context"
	"sync"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/known"
	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// All that the lock of an upstream guards is in this file.

const (
	maxStreams     = 4                // connections in use at a time
	maxOpen        = 40               // the same with those that only wait for late replies: more than stall within the usual timeout
	maxIdle        = 10 * time.Second // a connection's, before it is closed (RFC 7766, section 6.2.3)
	maxClosedEarly = 16               // those that brought replies, but ended too early for it: the queries of others may have ended them
	maxAgeDown     = 2 * time.Second  // a port's, while an upstream is down: some box on the way may have lost it, and know the port
	tidyEvery      = time.Second

	// maxWorkers is how many exchanges are under way on a [RoundTripper] at a time, each
	// with a goroutine; others queue up. Servers are asked to allow as many (RFC 9113,
	// section 6.5.2), and few allow many more.
	maxWorkers = 100
)

// Upstream is one resolver. Its methods may be called from any goroutine.
type Upstream struct {
	cfg Config

	mu             sync.Mutex
	peer           udp.Peer
	link           link.State // Gone: nothing is sent
	known          known.Facts
	sockets        [ports.InUse]*socket
	retired        []*socket // no longer sent on, still read from
	conns          connections
	waitingForLink ports.Table[Exchange]
	looks          looks
	turns          turns
	random         *ports.Random
	asked          instant.Time // when a query, not a probe, last was
	wanted         instant.Time // when Wanted was last called
	pauseEnded     instant.Time // when the first query after a pause was asked
	tidyDue        instant.Time // when tidy is called; zero: it is not
	closing        bool         // Close was called
}

// connections are the streams of an upstream, and when there may be another.
type connections struct {
	open         []*stream    // and those that are being dialled, in the order in which that began
	lastAsked    instant.Time // when a query last went over one
	opened       instant.Time // when one last was; zero: the last attempt failed, or that was before the upstream fell silent
	notBefore    instant.Time // no connection is dialled before
	rewarmAt     instant.Time // when another is opened to be held open; zero: none is
	limitedUntil instant.Time // so long the resolver is taken to allow no more connections
}

// turns counts the exchanges under way over UDP by what they ask, and holds those that wait
// for their turn. Questions share counts hardly ever; then one waits for nothing.
type turns struct {
	counts  *[1 << 14]uint8 // nil: none was counted yet
	waiting map[uint16][]*Exchange
}

// looks are an upstream's looks at its link. Those that wait are also in waitingForLink.
type looks struct {
	waiting  map[*Exchange]error // for the next look; with why they fail, or nil: they are cut off
	underWay map[*Exchange]error // likewise, for the one that is under way
	planned  bool                // there is one, or the next one is due
	begun    instant.Time        // the last one
}

// waits reports whether the exchange waits for a look.
func (l *looks) waits(x *Exchange) bool {
	_, next := l.waiting[x]
	_, now := l.underWay[x]
	return next || now
}

// forget ends an exchange's wait for a look.
func (l *looks) forget(x *Exchange) {
	delete(l.waiting, x)
	delete(l.underWay, x)
}

// Exchange is one query to one upstream and the wait for its reply. There can be very many,
// for it stays until the reply comes or is given up, also when it is not waited for any
// longer; so it is small and refers to little.
//
// Retry and Release lock the upstream; all other methods are called with its lock held.
type Exchange struct {
	u        *Upstream
	to       Receiver
	begun    instant.Time
	wake     instant.Time // when Retry should be called next; zero: never
	question uint16       // where it is counted
	probe    bool
	overLink bool  // as in Query
	phase    phase // changed by step alone

	query wording
	udp   datagramPath
	conn  streamPath
	wait  wait
	spare *fallback // nil: there is none
}

// wording is an exchange's query, as it is asked.
type wording struct {
	msg       []byte // which others may share
	withEDNS  []byte // the message with EDNS, if its last packet goes without
	plain     plainness
	truncated Truncated
	udpSize   uint16 // of replies that the client takes over UDP
}

// plainness says why a query goes without EDNS.
type plainness uint8

const (
	asIs          plainness = iota // it does not, or the client asked so
	lastPacket                     // its last packet over UDP
	afterRejected                  // it was rejected with EDNS
)

// datagramPath is an exchange's path over UDP.
type datagramPath struct {
	due          instant.Time  // when a reply to the last packet is
	sent         instant.Time  // when that was
	rto          time.Duration // to wait for a reply to the first
	socket       *socket       // nil: none yet, or it failed
	failedSocket *socket       // which is not to be used again
	err          error         // why the path brings nothing; nil: it may, or a stream is likelier to
	id           uint16
	packets      uint8 // so many were sent
	unsent       uint8 // times that the network took no packet just then, up to maxUnsent
	wrongIDs     uint8 // near misses, up to maxWrongIDs
	counted      bool  // as one of those that ask the same
	retried      bool  // a port failed since the last packet was due
}

// streamPath is an exchange's path over streams.
type streamPath struct {
	due         instant.Time // when a reply is
	stream      *stream      // the latest
	owed        uint8        // so many may still bring a reply
	dials       uint8        // so many were asked, but for those that were closed early
	closedEarly uint8        // so many ended early, but had brought replies
	failed      bool         // none could be opened soon, or none brought a reply
}

// wait is how an exchange's wait for a reply goes.
type wait struct {
	silenceFrom     instant.Time // since when a silence would be noticed
	downAt          instant.Time // when the receiver is to be told that the upstream is down; zero: it was, or need not be
	probed          bool         // whether the upstream replies at all
	silenceReported bool         // its silence was noticed while others were answered
	zoneReported    bool         // and that it lasted as long as a reply was of use
	askedAgain      bool         // after a silence
	triedAgain      bool         // after a look at the link
	suspectReply    bool         // there was a reply, but it may be forged
}

// fallback is a reply that is better than none.
type fallback struct {
	msg      []byte       // truncated, or one that rejected EDNS
	due      instant.Time // when it has to do; zero: it is not a truncated one
	enlarged bool         // it was asked for in the client's size
}

// socket is an upstream's part of a port, with the exchanges that wait on it. It is the
// [ports.Owner] of that part.
type socket struct {
	u *Upstream
	*ports.Socket

	pending   ports.Table[Exchange]
	sent      instant.Time   // when it was last sent on
	used      ports.IDs      // of queries that were sent on it
	wrongIDs  uint8          // of errors without a question, up to manyWrongIDs
	questions map[uint64]int // how many exchanges are pending by what they ask; nil: not counted yet
}

// stream is a connection that is shared by exchanges: TCP or TLS, to which their queries
// are written as they come, and from which replies are read in any order (RFC 7766,
// sections 6.2.1.1 and 7); or a [RoundTripper].
//
// Its goroutine is run, which dials, writes what is queued, and at the end has all that are
// pending asked elsewhere. Beside it one goroutine reads, or workers make round trips.
// Whatever has the lock may queue a query, have the stream drain or close it; closing is
// but a word to run, in ctx.
type stream struct {
	u      *Upstream
	ctx    context.Context // done: the stream is closed
	cancel context.CancelFunc
	queued chan struct{} // queue has something to write

	// Guarded by u.mu.
	state   streamState
	alone   bool         // it is for one exchange
	dialled instant.Time // when dialling began
	heard   instant.Time // when it brought a reply, or was opened; zero: it never was
	owing   instant.Time // since when it owes a reply
	used    bool         // it brought a reply
	useless int          // so many messages since the last reply answered nothing, up to maxUseless
	pending ports.Table[Exchange]
	queue   []uint16 // ids of those yet to be sent

	// Of a RoundTripper.
	tripper RoundTripper // nil: a connection that is written to and read from
	workers []*worker
	running sync.WaitGroup // workers
	idle    sync.Cond      // that the queue has something for them, or the stream is closed
	idlers  int            // workers that wait for it
}

// worker makes one round trip after another. A goroutine of its own for each would have to
// grow its stack each time.
type worker struct {
	s   *stream
	msg []byte // the query

	// Guarded by u.mu.
	x      *Exchange // under way; nil: none
	id     uint16
	ctx    context.Context
	cancel context.CancelFunc // calls it off
}

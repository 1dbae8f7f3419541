// Package upstream asks one DNS resolver. It knows loss and silence, connections and their
// ends, and nothing of races, verdicts or CoreDNS.
//
// # Where things are
//
// From the top down; what stands lower knows nothing of what stands above it.
//
//	upstream.go, batch.go, link.go, tidy.go    what others call, and the clock once a second
//	incoming.go, conn.go, workers.go           what comes from the network
//	ask.go                                     a query begins; work that is done without the lock
//	retry.go, reply.go, silence.go             what is due, what a reply means, up and down
//	exchange.go                                one query: the only file that decides what is next
//	path_udp.go, path_stream.go, fallback.go   its two paths, and the reply that is better than none
//	wording.go                                 its message, with EDNS or without
//	sockets.go, streams.go, stream.go          the sockets and connections to use
//	waiting.go, outbox.go                      who waits; work for when the lock is released
//	state.go                                   all that the lock guards
//	phase.go, stream_state.go, match.go        tables and rules without state
//
// What is known of the resolver is in package known, ids and UDP ports are in package ports.
//
// An [Exchange], a query to a resolver, is an entry in a table of ids: it costs no
// goroutine, no socket and no timer of its own. Whoever waits for it drives it by calling
// [Exchange.Retry] when Retry said it wants to be called; so a waiting race has one timer
// for all its exchanges, and exchanges whose race is over send nothing more but still teach
// the round-trip time when their reply comes.
//
// One mutex an upstream guards all its state; functions whose names end in Locked, and the
// methods of Exchange, are called with it held. While it is held no call is made that could
// wait: of system calls only the opening of a UDP port and the closing of any socket, of a
// [Receiver]'s methods only Waiting. All other work goes into an [outbox], and is done when
// the lock is released.
//
// How far an exchange has come over its two paths, UDP and a stream, is a [phase]. Whatever
// happens to it is an event; what comes next is decided by [phase.next], which is pure, and
// done by [Exchange.step]. Each path has its own due time.
//
// # Which path
//
// An exchange begins over UDP, or over a stream if [Query.Stream] asks for it; but where
// that path has brought nothing lately and the other one did, over the other. It goes on
// over a stream when the UDP reply is truncated or malformed, when three packets stay
// unanswered, when UDP fails with an error, and after a near miss. It falls back to UDP
// when streams fail, or none can be opened soon, before UDP was tried: many resolvers sit
// behind filters that let only one of the two pass. For the same reason a failure of TCP
// does not end an exchange that has been asked over UDP: three packets without a reply are
// more often a name that takes long than three losses, and a slow answer must not become a
// denial. Where it was losses, and TCP is closed, it is asked once more, and then the price
// is that the race takes until its timeout.
//
// An ICMP error or a send error is retried once on a fresh port (R10). A second one ends
// the path over UDP, at once. An error that is about this moment alone is a lost packet.
//
// A resolver that does not take EDNS is asked once more without it, and a truncated reply
// is kept for the case that there is none over a stream.
//
// # Down
//
// An upstream that is silent over both paths is down until it replies. Before it is taken
// to be, it is asked something that takes no time: on a quiet machine a name that takes long
// would look like silence. One that is silent to a type of question alone is unresponsive
// for it, and not waited for then. A down upstream is asked with one packet a query, and
// probed once a second: under a cache a name that only it knows is asked too seldom to
// notice its return, and the first query after that return would be denied once more. When
// it replies, all that still wait for it ask once more at once.
//
// # Connections
//
// A stream is shared, but the first idle one of a few is taken: some resolvers (dnsmasq is
// one) answer a connection's queries strictly one after another, and a slow name must not
// hold up the others. One that has owed a reply for long makes room for another, but is
// still read from until it owes nothing. Where a resolver refuses another beside those that
// work, or leaves it unanswered, these are used for a while: many allow a client only a few.
// And a query whose connections ended twice without a reply gets one of its own, for it may
// be what ends them, or have shared them with such a query.
package upstream

import (
	"cmp"
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// New returns an upstream. It opens nothing: sockets are opened by the first Ask, and closed
// when they have not been used for some seconds.
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
	u := &Upstream{cfg: cfg, peer: udp.Peer{Addr: cfg.Addr}, link: link.Bound, random: new(ports.Random)}
	u.tidyTimer = time.AfterFunc(tidyEvery, u.tidy)
	u.tidyTimer.Stop()
	return u
}

// String is the upstream's name.
func (u *Upstream) String() string { return u.cfg.Name }

// Close releases all sockets: those in use as soon as no reply is waited for on them. An
// Ask after Close is still served.
func (u *Upstream) Close() {
	var out outbox
	u.mu.Lock()
	u.closing = true
	u.tidyLocked(false, time.Now(), &out)
	u.mu.Unlock()
	u.do(&out)
}

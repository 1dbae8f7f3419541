// Package upstream asks one DNS resolver. It knows loss and silence, connections and their
// ends, and nothing of races, verdicts or CoreDNS. Rules, such as R6, are those of DESIGN.md.
//
// # Where things are
//
// From the top down; what stands lower knows nothing of what stands above it.
//
//	upstream.go, link.go, tidy.go, look.go     what others call, and what is due at whole seconds; a look at the link,
//	                                           before an exchange goes without its upstream
//	tidier.go                                  the alarm for what is due, of all upstreams
//	conn.go, workers.go, incoming.go           what comes from the network
//	ask.go                                     a query begins; work that is done without the lock
//	retry.go, reply.go, silence.go, zones.go   what is due, what a reply means, up and down
//	exchange.go                                one query: the only file that decides what is next
//	path_stream.go, path_udp.go                its two paths
//	turns.go, dns64.go                         how many ask the same question at a time; who makes IPv6 addresses
//	sockets.go, streams.go, stream.go          the sockets and connections to use
//	wording.go, fallback.go                    its message, with EDNS or without; the reply that is better than none
//	batch.go, outbox.go                        packets that leave together; work for when the lock is released
//	waiting.go, due.go                         the exchanges that wait; times at which something is due
//	state.go                                   all that the lock guards
//	phase.go, stream_state.go, match.go        tables and rules without state
//	config.go, receiver.go, observer.go        what others give
//	errors.go, dial.go                         why a connection came to nothing; several attempts at one
//
// Three uses run back up: an exchange asks for a look at the link, and a connection and its
// workers, each in a goroutine of its own, are started from below.
//
// What is known of the resolver is in package known, ids and UDP ports are in package ports.
//
// An [Exchange], a query to a resolver and the wait for its reply, is an entry in a table of
// ids: it costs no goroutine, no socket and no timer of its own. Whoever waits for the reply
// has to call [Exchange.Retry], at the time that Ask, or Retry before, has returned. So a
// waiting race has one timer for all its exchanges. Exchanges whose race is over send
// nothing more, but when their reply comes it still shows the round-trip time.
//
// One mutex for each upstream guards all its state; functions whose names end in Locked, and the
// methods of Exchange, are called with it held. While it is held no call is made that could
// wait: of system calls only the opening of a UDP port and the closing of any socket, of a
// [Receiver]'s methods only Waiting. All other work goes into an [outbox], and is done when
// the lock is released.
//
// An exchange has two paths: UDP, and a stream, which is a connection over TCP, TLS, HTTPS or
// QUIC. How far it has come over them is its [phase]. Whatever happens to it is an [event];
// what comes next is decided by [phase.next], which is pure, and done by [Exchange.step].
// Each path has its own time at which something is due.
//
// # Which path
//
// An exchange begins over UDP, or over a stream if [Query.Stream] asks for it; but where
// that path has brought nothing lately and the other one has, it begins over the other. It
// goes on over a stream when the UDP reply is truncated or malformed, when three packets
// stay unanswered, when UDP fails with an error, and after a near miss: a reply that is
// right but for its id, and so may be forged. If it began over a stream it falls back to UDP
// when streams fail or none can be opened soon: many resolvers sit behind filters that let
// only one of the two pass. For the same reason a failure of TCP does not end an exchange
// that has been asked over UDP. Besides, three packets without a reply are more often a name
// that takes long than three losses, and a slow answer must not become a denial. If the
// packets were lost after all, and TCP is closed, the exchange is asked once more, when the
// upstream replies to others; if that is lost, too, the race takes until its timeout.
//
// An ICMP error or a send error is retried once on a fresh port (R10). A second one ends
// the path over UDP, at once. A passing error, such as a full buffer, counts as a lost packet.
//
// A resolver that does not take EDNS is asked once more without it, and a truncated reply
// is kept for the case that there is none over a stream.
//
// # Down
//
// An upstream that is silent over both paths is down until it replies. Before that is
// decided it is probed, by a question that it can answer at once: where there are few
// queries, one for a name that takes long would look like silence. An upstream that leaves
// only questions of one type without reply is unresponsive for that type, and is not waited
// for when it is asked; and so it is for a name, or a zone. A down upstream is sent one packet
// for each query, and is probed once a second while there are any: below a cache, a name that
// only it knows is asked for too seldom to show that it is back, and the first query after
// that would be denied once more. When nobody asks it is probed less and less often; then the
// first query waits for it for a moment. When it replies, all exchanges that still wait for it
// ask once more at once.
//
// # Connections
//
// A stream is shared, but the first idle one of a few is taken: some resolvers (dnsmasq is
// one) answer a connection's queries strictly one after another, and a slow name must not
// hold up the others. A stream that has owed a reply for long makes room for another, but
// is still read from until it owes nothing. Many resolvers allow a client only a few
// connections: where one refuses another beside those that work, or leaves it unanswered,
// those that work are used for a while. And a query whose connections ended twice without a
// reply gets a connection of its own, for it may be what ends them, or have shared them with
// a query that does.
package upstream

import (
	"cmp"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
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
	if cfg.Tidier == nil {
		cfg.Tidier = NewTidier(false)
	}
	cfg.Name = cmp.Or(cfg.Name, cfg.Addr.String())
	return &Upstream{cfg: cfg, peer: udp.Peer{Addr: cfg.Addr}, link: link.Bound, random: new(ports.Random)}
}

// String is the upstream's name.
func (u *Upstream) String() string { return u.cfg.Name }

// Close releases all sockets: those in use as soon as no reply is waited for on them. An
// Ask after Close is still served.
func (u *Upstream) Close() {
	var out outbox
	u.mu.Lock()
	u.closing = true
	u.tidyLocked(false, instant.Now(), &out)
	u.mu.Unlock()
	u.do(&out)
}

// Up reports whether a reply to a question, which is as in [wire.Question], is to be expected:
// the upstream is neither down nor unresponsive for its type or its name (R5). Nil is any.
func (u *Upstream) Up(question []byte) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	forType, forName := u.unresponsive(question)
	return !u.known.Down && !forType && !forName
}

// Usual is how long the upstream's replies usually take, and its fastest ones; 0: there were
// none.
func (u *Upstream) Usual() (usual, fastest time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.known.Usual(), time.Duration(u.known.Fastest)
}

// Signs reports whether the upstream is known to do DNSSEC, and how long its reply to q,
// which asks for signatures and is asked now, is worth to be waited for by one without
// signatures (R19); zero: it is not.
func (u *Upstream) Signs(q *Query) (known bool, worth time.Duration) {
	now := instant.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.known.EDNS.Avoid(now) { // so it is not asked for them
		return false, 0
	}
	timeout := u.known.RTT.Timeout()
	if q.Stream || u.cfg.ForceTCP {
		timeout = u.known.Stall()
	}
	return u.known.DNSSEC.Known(now), u.known.DNSSEC.Worth(questionType(q.Msg), timeout, now)
}

// Makes64 reports whether the upstream makes IPv6 addresses for names that have none (DNS64;
// RFC 6147), or may do so. It is asked for that the first time, and again when it returns.
func (u *Upstream) Makes64() bool {
	var out outbox
	now := instant.Now()
	u.mu.Lock()
	if u.known.DNS64.Ask(now) {
		out.add(job{kind: probe64Job})
	}
	makes := u.known.DNS64.Makes(now)
	u.mu.Unlock()
	u.do(&out)
	return makes
}

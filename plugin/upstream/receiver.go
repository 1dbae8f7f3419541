package upstream

import (
	"github.com/dnsmus/dnsmus/plugin/instant"
)

// Receiver is told what becomes of an exchange. Its methods are called from any
// goroutine, also from within Ask and Retry, and must not block.
type Receiver interface {
	// Reply takes the resolver's reply, which came at that time, over a stream or over
	// UDP: well-formed, of the same question, its id to be ignored. Nothing follows,
	// unless it may be forged: then another reply may, or a failure.
	Reply(msg []byte, at instant.Time, overStream bool)
	// Fail says that the exchange ended without a reply. It is called at most
	// once, and nothing follows.
	Fail(err error)
	// Health says that the upstream is down, or up again: its turn-th change, counted
	// from 1. Goroutines may bring two of them in any order, so one whose turn is not
	// greater than that of another before it is old, and to be ignored. From a down
	// upstream a reply may come all the same.
	Health(down bool, turn uint64)
	// Doubtful says that the upstream is down, but may reply: denials are to wait for it until
	// Health says that it is down.
	Doubtful()
	// Again says that Retry has something to do now.
	Again()
	// Unresponsive says that the upstream never answers questions of this type, or for this
	// name or its zone, though it answers others. A reply may come all the same.
	Unresponsive(forName bool)
	// Waiting reports whether a reply is still waited for. It is called with locks
	// held, and must do no more than look.
	Waiting() bool
}

// LateReceiver is a [Receiver] that takes replies which come when they are not waited for
// any more.
type LateReceiver interface {
	Receiver
	// TakesLate reports whether it takes them, also old ones: more than a second after the
	// query. As Waiting, it must do no more than look.
	TakesLate(old bool) bool
}

// takesLate reports whether late replies are to be handed on, or old ones.
func takesLate(to Receiver, old bool) bool {
	l, ok := to.(LateReceiver)
	return ok && l.TakesLate(old)
}

// nobody is the Receiver of exchanges that are not waited for.
type nobody struct{}

func (nobody) Reply([]byte, instant.Time, bool) {}
func (nobody) Fail(error)                       {}
func (nobody) Health(bool, uint64)              {}
func (nobody) Doubtful()                        {}
func (nobody) Again()                           {}
func (nobody) Unresponsive(bool)                {}
func (nobody) Waiting() bool                    { return false }

// prober is the Receiver of probes.
type prober struct{ nobody }

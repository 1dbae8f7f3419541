package upstream

// phase is how far an exchange has come over its two ways, UDP and a stream
// (TCP, or what stands in its place). Each value says on which of them a reply is
// waited for.
type phase uint8

const (
	// overUDP: packets are sent over UDP.
	overUDP phase = iota
	// overStreamFirst: asked over a stream; UDP is left to fall back to.
	overStreamFirst
	// overBoth: asked over a stream, and a reply over UDP is as welcome.
	overBoth
	// overStream: asked over a stream; UDP is of no use any more.
	overStream
	// overUDPLast: the stream came to nothing, a reply over UDP may still come.
	overUDPLast
	// ended: the receiver was told, or nobody waits.
	ended

	phases
)

var phaseNames = [phases]string{"over UDP", "over a stream first", "over both", "over a stream", "over UDP at last", "ended"}

func (p phase) String() string { return phaseNames[p] }

// event is what moves an exchange from one phase to another.
type event uint8

const (
	answered     event = iota // a reply of use came
	useless                   // a reply over UDP says only that a stream should be asked
	forged                    // likewise a near miss, after which another port and id may still be tried
	unanswered                // the last packet over UDP was due for a reply
	udpFailed                 // UDP brings nothing but an error
	streamFailed              // no stream brings a reply
	streamSlow                // no stream could be opened yet, or some say nothing
	udpTalks                  // the upstream talks again, over UDP
	streamTalks               // likewise over a stream

	events
)

var eventNames = [events]string{"answered", "useless", "forged", "unanswered", "UDP failed", "stream failed", "stream slow", "UDP talks", "stream talks"}

func (e event) String() string { return eventNames[e] }

// step is what is to be done on a change of phase.
type step uint8

const (
	rest       step = iota
	sendPacket      // over UDP
	askStream
	fail
)

// next is the phase that follows on an event, and what is to be done. An event that
// says nothing new in a phase changes nothing.
func (p phase) next(e event) (phase, step) {
	switch {
	case p == ended:
		return ended, rest
	case e == answered:
		return ended, rest
	}
	switch p {
	case overUDP:
		switch e {
		case useless:
			return overStream, askStream
		case forged:
			return overStreamFirst, askStream
		case unanswered:
			return overBoth, askStream
		case udpFailed:
			return overStream, askStream
		}
	case overStreamFirst:
		switch e {
		case streamFailed:
			return overUDPLast, sendPacket
		case streamSlow:
			return overBoth, sendPacket
		}
	case overBoth:
		switch e {
		case useless, udpFailed:
			return overStream, rest
		case forged:
			return overStreamFirst, rest
		case streamFailed:
			return overUDPLast, rest
		case streamSlow:
			return overBoth, sendPacket
		}
	case overStream:
		switch e {
		case streamFailed:
			return ended, fail
		case udpTalks:
			return overBoth, sendPacket
		}
	case overUDPLast:
		switch e {
		case useless, udpFailed:
			return ended, fail
		case forged:
			return overUDPLast, sendPacket
		case streamTalks:
			return overBoth, askStream
		}
	}
	return p, rest
}

// onUDP reports whether a reply over UDP is of use.
func (p phase) onUDP() bool { return p == overUDP || p == overBoth || p == overUDPLast }

// onStream reports whether a stream was asked, and may bring a reply.
func (p phase) onStream() bool { return p == overStreamFirst || p == overBoth || p == overStream }

// more reports whether there is more to try when a reply is due: another packet,
// then a stream, then another stream, for the one at hand may have lost its source
// address without a word.
func (p phase) more(packets, dials uint8) bool {
	switch p {
	case overUDP:
		return true
	case overUDPLast:
		return packets < maxPackets
	case ended:
		return false
	}
	return dials < maxDials
}

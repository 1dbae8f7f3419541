package upstream

const (
	maxPackets = 3 // over UDP, an exchange (RFC 9520, section 3.1)
	maxDials   = 3 // connections an exchange (likewise) that brought nothing
)

// phase is how far an exchange has come over its two paths, UDP and a stream (TCP, or what
// stands in its place). Each value says on which of them a reply is waited for. Nothing but
// [Exchange.step] changes an exchange's phase, by the table in next.
type phase uint8

const (
	// notAsked: nothing was sent yet.
	notAsked phase = iota
	// overUDP: packets are sent over UDP.
	overUDP
	// overStreamFirst: asked over a stream; UDP is left to fall back to.
	overStreamFirst
	// overBoth: asked over a stream, and a reply over UDP is as welcome.
	overBoth
	// overStream: asked over a stream; UDP brings nothing any more.
	overStream
	// overUDPLast: the stream came to nothing, a reply over UDP may still come.
	overUDPLast
	// ended: the receiver was told, or the exchange is not waited for.
	ended

	phases
)

var phaseNames = [phases]string{
	notAsked: "not asked", overUDP: "over UDP", overStreamFirst: "over a stream first", overBoth: "over both",
	overStream: "over a stream", overUDPLast: "over UDP at last", ended: "ended",
}

func (p phase) String() string { return phaseNames[p] }

// event is what moves an exchange from one phase to another.
type event uint8

const (
	nothing event = iota // nothing has happened

	// How it begins, or begins anew on another link.
	startUDP
	startStream     // UDP may follow
	startBoth       // UDP and a stream
	startStreamOnly // UDP is never used
	restartUDP      // when it is called next
	restartStream   // likewise, where UDP is never used

	// What a path brings.
	answered       // a usable reply came
	useless        // a reply over UDP says only that a stream should be asked
	forged         // a near miss: a stream is asked, after which another port and id may be tried
	unanswered     // the reply to the last packet over UDP is overdue
	sendAgain      // a packet is overdue, its port failed, or its EDNS was rejected
	hinted         // UDP may be in vain, if that is true
	udpFailed      // UDP brings nothing but an error
	streamFailed   // no stream brings a reply
	streamSlow     // no stream could be opened yet, or some stay silent
	streamHopeless // streams have brought nothing for long, and are not worth a wait
	udpReplies     // the upstream replies again, over UDP
	streamReplies  // likewise over a stream

	// How it ends.
	enlarged       // a truncated reply is asked for once more over UDP, in the client's size
	enlargedBeside // likewise, while a stream may bring the whole one
	waitedEnough   // the fallback has to do
	gaveUp         // the receiver is told that there is no reply, or gets the fallback

	events
)

var eventNames = [events]string{
	nothing: "nothing", startUDP: "start over UDP", startStream: "start over a stream", startBoth: "start over both",
	startStreamOnly: "start over streams only", restartUDP: "restart over UDP", restartStream: "restart over a stream",
	answered: "answered", useless: "useless", forged: "forged", unanswered: "unanswered",
	sendAgain: "send again", hinted: "hinted", udpFailed: "UDP failed", streamFailed: "stream failed", streamSlow: "stream slow",
	streamHopeless: "stream hopeless", udpReplies: "UDP replies", streamReplies: "stream replies",
	enlarged: "enlarged", enlargedBeside: "enlarged beside a stream", waitedEnough: "waited enough", gaveUp: "gave up",
}

func (e event) String() string { return eventNames[e] }

// action is what is to be done on an event.
type action uint8

const (
	none       action = iota
	sendPacket        // over UDP
	askStream
	askBoth // a packet, and a stream
	giveUp

	actions
)

var actionNames = [actions]string{none: "none", sendPacket: "send a packet", askStream: "ask a stream", askBoth: "ask both", giveUp: "give up"}

func (a action) String() string { return actionNames[a] }

// next is the phase that follows on an event, and what is to be done. An event that
// says nothing new in a phase changes nothing.
func (p phase) next(e event) (phase, action) {
	if p == ended {
		return ended, none
	}
	switch e { // in whatever phase
	case answered, gaveUp:
		return ended, none
	case waitedEnough:
		return p, giveUp
	case enlarged:
		return overUDPLast, sendPacket
	case enlargedBeside:
		return overBoth, sendPacket
	case restartUDP:
		return overUDP, none
	case restartStream:
		return overStream, none
	}
	switch p {
	case notAsked:
		switch e {
		case startUDP:
			return overUDP, sendPacket
		case startStream:
			return overStreamFirst, askStream
		case startBoth:
			return overBoth, askBoth
		case startStreamOnly:
			return overStream, askStream
		}
	case overUDP:
		switch e {
		case sendAgain:
			return overUDP, sendPacket
		case useless, udpFailed:
			return overStream, askStream
		case forged:
			return overStreamFirst, askStream
		case unanswered, hinted:
			return overBoth, askStream
		case streamHopeless:
			return overUDP, giveUp
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
		case sendAgain, streamSlow:
			return overBoth, sendPacket
		case useless, udpFailed:
			return overStream, none
		case forged:
			return overStreamFirst, none
		case streamFailed:
			return overUDPLast, none
		}
	case overStream:
		switch e {
		case streamFailed, streamHopeless:
			return overStream, giveUp
		case udpReplies:
			return overBoth, sendPacket
		}
	case overUDPLast:
		switch e {
		case sendAgain, forged:
			return overUDPLast, sendPacket
		case useless, udpFailed:
			return overUDPLast, giveUp
		case streamReplies:
			return overBoth, askStream
		}
	}
	return p, none
}

// onUDP reports whether packets over UDP were sent, or are.
func (p phase) onUDP() bool { return p == overUDP || p == overBoth || p == overUDPLast }

// hearsUDP reports whether a reply over UDP is taken: also after a near miss, while a
// stream is asked.
func (p phase) hearsUDP() bool { return p.onUDP() || p == overStreamFirst }

// onStream reports whether a stream was asked, and may bring a reply.
func (p phase) onStream() bool { return p == overStreamFirst || p == overBoth || p == overStream }

// sendsMore reports whether there is more to try over UDP when a reply is due: another
// packet, or the finding that a stream is to be asked.
func (p phase) sendsMore(packets, dials uint8) bool {
	switch p {
	case overUDP:
		return true
	case overUDPLast:
		return packets < maxPackets
	case overBoth:
		return packets < maxPackets && dials < maxDials
	}
	return false
}

// asksMore reports whether another stream may be asked when a reply is due, for the one at
// hand may have lost its source address without a word.
func (p phase) asksMore(dials uint8) bool { return p.onStream() && dials < maxDials }

// more reports whether there is more to try over either path.
func (p phase) more(packets, dials uint8) bool {
	return p.sendsMore(packets, dials) || p.asksMore(dials)
}

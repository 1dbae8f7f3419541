package upstream

// streamState is where a stream is in its life.
type streamState uint8

const (
	dialling streamState = iota // queries queue up
	open                        // it takes queries
	draining                    // it takes no more, but owes replies
	closed

	streamStates
)

var streamStateNames = [streamStates]string{dialling: "dialling", open: "open", draining: "draining", closed: "closed"}

func (s streamState) String() string { return streamStateNames[s] }

// streamEvent is what moves a stream from one state to another.
type streamEvent uint8

const (
	connected      streamEvent = iota // the connection is there
	connectedAlone                    // likewise, for one exchange
	retire                            // others are to take its place, or it failed a query
	end                               // it is closed, or nothing came of it

	streamEvents
)

var streamEventNames = [streamEvents]string{connected: "connected", connectedAlone: "connected for one", retire: "retired", end: "end"}

func (e streamEvent) String() string { return streamEventNames[e] }

// next is the state that follows on an event.
func (s streamState) next(e streamEvent) streamState {
	switch {
	case s == closed || e == end:
		return closed
	case s == dialling && e == connected:
		return open
	case s == dialling && e == connectedAlone:
		return draining
	case s == open && e == retire:
		return draining
	}
	return s
}

// connected reports whether there is a connection.
func (s streamState) connected() bool { return s == open || s == draining }

package upstream

// Listener is a [Receiver] to which replies are of interest that come when nobody waits
// for them any more.
type Listener interface {
	Receiver
	// Listening reports whether they are. As Waiting, it must do no more than look.
	Listening() bool
}

// listening reports whether late replies are to be handed on.
func listening(to Receiver) bool {
	l, ok := to.(Listener)
	return ok && l.Listening()
}

// Up reports whether a reply to a question of that type is to be expected: the upstream
// is neither down nor deaf to the type (R5).
func (u *Upstream) Up(qtype uint16) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.presence.down && !u.presence.hearing.deaf(qtype)
}

package upstream

// LateReceiver is a [Receiver] that takes replies which come when nobody waits for them
// any more.
type LateReceiver interface {
	Receiver
	// TakesLate reports whether it takes them. As Waiting, it must do no more than look.
	TakesLate() bool
}

// takesLate reports whether late replies are to be handed on.
func takesLate(to Receiver) bool {
	l, ok := to.(LateReceiver)
	return ok && l.TakesLate()
}

// Up reports whether a reply to a question of that type is to be expected: the upstream
// is neither down nor deaf to the type (R5).
func (u *Upstream) Up(qtype uint16) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.presence.down && !u.presence.hearing.deaf(qtype)
}

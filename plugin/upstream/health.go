package upstream

import "time"

// health tells an upstream that talks from one that is wholly silent (R5). Its zero
// value is an upstream that was not heard yet and is taken to be up.
//
// The measure is one exchange: it waited patience long, and in all that time
// the upstream said nothing to anybody. A clock since the last reply would not
// do: one packet lost before a quiet hour would look like an hour of silence.
type health struct {
	last time.Time // when it was heard
	down bool
	fell time.Time // when it went down
}

// heard notes a reply, to whatever query.
func (h *health) heard(now time.Time) {
	h.last = now
	h.down = false
}

// deadline is when an exchange begun at begun proves the upstream down if it is
// not heard until then. It is zero if the exchange cannot prove that any more.
func (h *health) deadline(begun time.Time, patience time.Duration) time.Time {
	if h.down || !h.last.Before(begun) {
		return time.Time{}
	}
	return begun.Add(patience)
}

// silent notes that an exchange begun at begun is unanswered at now, and
// reports whether the upstream went down by that.
func (h *health) silent(begun, now time.Time, patience time.Duration) bool {
	deadline := h.deadline(begun, patience)
	if deadline.IsZero() || now.Before(deadline) {
		return false
	}
	h.down, h.fell = true, now
	return true
}

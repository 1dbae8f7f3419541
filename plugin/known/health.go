package known

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// Health tells an upstream that replies from one that is wholly silent (R5). Its zero value
// is an upstream that was not heard yet and is taken to be up.
//
// The measure is one exchange: it waited patience long, and in all that time the upstream
// sent no reply at all. A clock since the last reply would not do: one packet lost before a
// quiet hour would look like an hour of silence.
type Health struct {
	Last      instant.Time // when it last replied
	Down      bool
	DownSince instant.Time
	UpSince   instant.Time // when a reply last ended that it was down
}

// heard notes a reply, to whatever query.
func (h *Health) heard(now instant.Time) {
	h.Last = now
	if h.Down {
		h.Down, h.UpSince = false, now
	}
}

// Deadline is when an exchange begun at begun proves the upstream down if it does not
// reply until then. It is zero if the exchange cannot prove that any more.
func (h *Health) Deadline(begun instant.Time, patience time.Duration) instant.Time {
	if h.Down || !h.Last.Before(begun) {
		return instant.Never
	}
	return begun.Add(patience)
}

// AnsweredOthers reports whether it replied since begun, and was not down in that time: else what
// was asked then says nothing of its own.
func (h *Health) AnsweredOthers(begun instant.Time) bool {
	return !h.Down && h.Last.After(begun) && !begun.Before(h.UpSince)
}

// silent notes that an exchange begun at begun is unanswered at now, and reports whether
// the upstream went down by that.
func (h *Health) silent(begun, now instant.Time, patience time.Duration) bool {
	deadline := h.Deadline(begun, patience)
	if deadline.IsZero() || now.Before(deadline) {
		return false
	}
	h.Down, h.DownSince = true, now
	return true
}

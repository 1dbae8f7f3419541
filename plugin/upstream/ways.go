package upstream

import "time"

const (
	// So many exchanges in a row a way must leave to the other one before others begin
	// there. Of UDP one may be chance, three lost packets; a stream has had longer.
	enoughUDP    = 2
	enoughStream = 1
	// firstRetry and lastRetry bound the time after which a way that brought nothing
	// is tried once more, beside the one that works; it doubles each time.
	firstRetry = 5 * time.Second
	lastRetry  = time.Minute
)

// way is what is known of one of the two ways to an upstream, UDP or streams (R6): a
// filter may let only one of them pass. Its zero value is one that is expected to
// work.
type way struct {
	failures uint8     // exchanges in a row that it left to the other way, up to mostFailures
	heard    time.Time // when it last brought a reply
	retry    time.Time // when it should be tried again
	pause    time.Duration
}

// mostFailures is enough to do without the way, where it can be.
const mostFailures = 2

// blocked reports whether exchanges should begin on the other way, because this one
// has failed so often.
func (w *way) blocked(enough uint8) bool { return w.failures >= enough }

// hopeless reports whether nobody should wait for the way.
func (w *way) hopeless() bool { return w.failures >= mostFailures }

// works notes that the way brought a reply.
func (w *way) works(now time.Time) { *w = way{heard: now} }

// dead reports whether the way has brought nothing for so long that there is no use in
// waiting for it, where it is the last one.
func (w *way) dead(now time.Time) bool { return now.Sub(w.heard) > lastRetry }

// talked reports whether the way brought a reply after since, and has not failed after
// that.
func (w *way) talked(since time.Time) bool { return w.failures == 0 && w.heard.After(since) }

// failed notes that the way brought nothing to an exchange which the other way
// answered.
func (w *way) failed(now time.Time) {
	if w.failures < mostFailures {
		w.failures++
	}
	if now.Before(w.retry) {
		return
	}
	w.pause = min(max(2*w.pause, firstRetry), lastRetry)
	w.retry = now.Add(w.pause)
}

// tryAgain reports whether a way that failed should be tried beside the other one, and
// takes note of that.
func (w *way) tryAgain(now time.Time) bool {
	if w.failures == 0 || now.Before(w.retry) {
		return false
	}
	w.pause = min(2*w.pause, lastRetry)
	w.retry = now.Add(w.pause)
	return true
}

package source

import (
	"bytes"
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/server"
)

const (
	swapWait   = 700 * time.Millisecond  // for the rest of a list that names others than before
	shrinkWait = 1800 * time.Millisecond // of one that only shrank, of a line without end, and of a file of no use
	sampleTime = 37 * time.Millisecond   // between two looks in doubt; no rhythm that a writer may have
)

// doubt is whether a file that was not put in its place whole is written to its end:
// it misses servers that are in use, its last line has no end, or it is of no use.
// The zero value is none.
type doubt struct {
	since     time.Time // when it began; zero: there is none
	best      said      // what the writer may have meant
	bestSince time.Time
}

// said is what a source said at one moment: something, or why it is of no use.
type said struct {
	Reading
	err error
}

// weigh takes what a file says at a moment, beside the servers that are in use by it.
// It returns what to believe or, while that is not known, how soon to look again.
// What only adds servers is believed at once. A writer is restless who wrote just
// now; of such a one the most complete that was seen is believed, because any look
// may meet a half.
func (d *doubt) weigh(now said, inUse []server.Server, restless bool, at time.Time) (believed said, again time.Duration) {
	if now.err == nil && !now.endsOpen(inUse) && includes(now.Servers, inUse) {
		*d = doubt{}
		return now, 0
	}
	if d.since.IsZero() {
		*d = doubt{since: at, best: now, bestSince: at}
	}
	if !now.equal(d.best) && !(restless && now.lessThan(d.best)) {
		d.best, d.bestSince = now, at
	}
	due := d.bestSince.Add(d.best.wait(inUse))
	if last := d.since.Add(shrinkWait); last.Before(due) {
		due = last
	}
	if left := due.Sub(at); left > 0 {
		return said{}, min(left, sampleTime)
	}
	believed = d.best
	*d = doubt{}
	return believed, 0
}

// wait is how long the writer may take to say more.
func (s said) wait(inUse []server.Server) time.Duration {
	if s.err != nil || s.endsOpen(inUse) || includes(inUse, s.Servers) {
		return shrinkWait
	}
	return swapWait
}

// endsOpen reports whether the last line may be the beginning of another one.
func (s said) endsOpen(inUse []server.Server) bool {
	return s.Open && (len(s.Servers) == 0 || !slices.ContainsFunc(inUse, s.Servers[len(s.Servers)-1].Equal))
}

// equal reports whether both say the same.
func (s said) equal(other said) bool {
	if s.err != nil || other.err != nil {
		return s.err != nil && other.err != nil && s.err.Error() == other.err.Error()
	}
	return bytes.Equal(s.Text, other.Text)
}

// lessThan reports whether s may be a part of what other says.
func (s said) lessThan(other said) bool {
	switch {
	case other.err != nil:
		return false
	case s.err != nil || s.Open && !other.Open:
		return true
	}
	return includes(other.Servers, s.Servers)
}

// includes reports whether all of the servers are in list.
func includes(list, servers []server.Server) bool {
	for _, s := range servers {
		if !slices.ContainsFunc(list, s.Equal) {
			return false
		}
	}
	return true
}

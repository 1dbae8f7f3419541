package account

import (
	"sync"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// What is counted of a server's races.
const (
	Good = iota
	Denied
	Failed
	WrongDenials
)

// What is counted of an upstream, beside Good, Denied and Failed.
const (
	NoOpinion = WrongDenials + iota
	Asked
	Won
	Only
	Filtered // a filter's, among Good, Denied and Failed
)

// Upstream is what is counted, and noted, of an upstream. A nil one takes down nothing.
type Upstream struct {
	Tally
	mu        sync.Mutex
	changed   time.Time // when it went down or came up; at first when it was first seen
	turn      uint64    // of that change
	lastError string
	failedAt  time.Time
}

// Count counts one more thing.
func (u *Upstream) Count(kind int, now instant.Time) {
	if u != nil {
		u.Add(kind, 1, now)
	}
}

// Uncount takes back one.
func (u *Upstream) Uncount(kind int, now instant.Time) {
	if u != nil {
		u.Add(kind, -1, now)
	}
}

// Fail counts a failure, and notes why.
func (u *Upstream) Fail(err error, now time.Time) {
	if u == nil {
		return
	}
	u.Add(Failed, 1, instant.Of(now))
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lastError, u.failedAt = err.Error(), now
}

// Changes notes that the upstream went down or came up, in its turn.
func (u *Upstream) Changes(turn uint64, now time.Time) {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if turn > u.turn {
		u.turn, u.changed = turn, now
	}
}

// Begins notes that the upstream is used by a handler that has not seen it yet, whose turns begin
// anew.
func (u *Upstream) Begins(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.turn = 0
	if u.changed.IsZero() {
		u.changed = now
	}
}

// Changed is when the upstream last went down or came up, or was first used.
func (u *Upstream) Changed() time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.changed
}

// LastError is the last failure, and when it was; empty: there was none.
func (u *Upstream) LastError() (text string, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.lastError, u.failedAt
}

// Package poll has what the system's poller can wait for beside sockets: alarms, and files. Few
// threads of an idle process wake for these.
package poll

import (
	"io"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// Alarm calls a function when it is due. It may also call it for no reason. Its methods must not be
// called at the same time.
type Alarm interface {
	Set(at instant.Time)
	Stop()
	// Close closes what the alarm has of the system. The alarm goes on with a timer.
	Close()
}

// NewAlarm returns one that is not set: the system's if that is wanted and can be had, else a timer,
// also in virtual time.
func NewAlarm(system bool, ring func()) Alarm {
	a := &alarm{ring: ring}
	if system {
		a.timer = systemTimer(ring)
	}
	if a.timer == nil {
		a.timer = newTimer(ring)
	}
	return a
}

type alarm struct {
	ring  func()
	timer timer
	at    instant.Time // when it was last to be due; zero: it was stopped since
}

// timer is a [time.Timer], or what does the same and is to be closed.
type timer interface {
	Reset(time.Duration) bool
	Stop() bool
}

func newTimer(ring func()) timer {
	t := time.AfterFunc(time.Hour, ring)
	t.Stop()
	return t
}

// Set implements Alarm.
func (a *alarm) Set(at instant.Time) {
	a.at = at
	a.timer.Reset(max(instant.Until(at), 1))
}

// Stop implements Alarm.
func (a *alarm) Stop() {
	a.at = instant.Never
	a.timer.Stop()
}

// Close implements Alarm.
func (a *alarm) Close() {
	system, ok := a.timer.(io.Closer)
	if !ok {
		return
	}
	go system.Close() // it waits for a call that may wait for the caller
	a.timer = newTimer(a.ring)
	if !a.at.IsZero() {
		a.Set(a.at)
	}
}

package race

import "time"

// Alarm calls a function when it is due. Its methods are those of a [time.Timer]. It may also
// call the function for no reason.
type Alarm interface {
	Reset(time.Duration) bool
	Stop() bool
}

// NewAlarm returns one that is not set: the system's if that is wanted and can be had. It also
// returns what closes it, which may be nil, and returns when the function is called no more.
func NewAlarm(system bool, ring func()) (a Alarm, end func()) {
	if system {
		if a, end = systemAlarm(ring); a != nil {
			return a, end
		}
	}
	timer := time.AfterFunc(time.Hour, ring)
	timer.Stop()
	return timer, nil
}

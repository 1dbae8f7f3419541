package race

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// timerfd is a timer of the system (timerfd_create(2)). To set it wakes nobody, and no thread
// sleeps with a time limit because of it; both are so of timers of package time.
type timerfd int

// systemAlarm returns nil if there is no descriptor for one, or it cannot be waited for.
func systemAlarm(ring func()) (Alarm, func()) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, nil
	}
	file, raw := polled(fd, "timerfd")
	if file == nil {
		return nil, nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = raw.Read(func(uintptr) bool { // until it is closed; the poller is woken each time, also if nothing is read
			ring()
			return false
		})
	}()
	return timerfd(fd), func() {
		file.Close()
		<-done
	}
}

// Reset implements Alarm.
func (t timerfd) Reset(d time.Duration) bool { return t.set(d) }

// Stop implements Alarm.
func (t timerfd) Stop() bool { return t.set(0) }

func (t timerfd) set(d time.Duration) bool {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	_, _, errno := unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(t), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	return errno == 0
}

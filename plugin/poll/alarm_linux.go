package poll

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// timerfd is a timer of the system (timerfd_create(2)). To set it wakes nobody, and no thread
// sleeps with a time limit because of it; both are so of timers of package time.
type timerfd struct {
	*os.File
	fd int
}

// systemTimer returns nil if there is no descriptor for one, or it cannot be waited for.
func systemTimer(ring func()) timer {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil
	}
	file, raw := File(fd, "timerfd")
	if file == nil {
		return nil
	}
	go func() {
		_ = raw.Read(func(uintptr) bool { // until it is closed; the poller is woken each time, also if nothing is read
			ring()
			return false
		})
	}()
	return timerfd{file, fd}
}

// Reset implements timer.
func (t timerfd) Reset(d time.Duration) bool { return t.set(d) }

// Stop implements timer.
func (t timerfd) Stop() bool { return t.set(0) }

func (t timerfd) set(d time.Duration) bool {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	_, _, errno := unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(t.fd), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	return errno == 0
}

package race

import (
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/dnsmus/dnsmus/plugin/poll"
)

// eventfd is an event of the system (eventfd(2)). It is only written to: each time wakes the
// poller, also if nothing is read (epoll(7), EPOLLET).
type eventfd struct {
	file  *os.File
	raw   syscall.RawConn
	isSet atomic.Bool
	seen  func(fd uintptr) bool // wasSet, bound once
	write func(fd uintptr)      // writeOne, bound once
}

// newPollEvent returns nil if there is no descriptor for one, or it cannot be waited for.
func newPollEvent() pollEvent {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil
	}
	e := new(eventfd)
	if e.file, e.raw = poll.File(fd, "eventfd"); e.file == nil {
		return nil
	}
	e.seen, e.write = e.wasSet, e.writeOne
	return e
}

func (e *eventfd) set() {
	if !e.isSet.Swap(true) {
		_ = e.raw.Control(e.write) // it may be closed
	}
}

func (e *eventfd) clear() { e.isSet.Store(false) }

func (e *eventfd) wait() { _ = e.raw.Read(e.seen) }

func (e *eventfd) close() { e.file.Close() }

func (e *eventfd) wasSet(uintptr) bool { return e.isSet.Swap(false) }

var one = uint64(1)

// writeOne never blocks, so the scheduler need not know of it.
func (e *eventfd) writeOne(fd uintptr) {
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
}

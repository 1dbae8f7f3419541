//go:build linux

package main

import (
	"net"
	"syscall"
	"time"
	"unsafe"
)

// cpuTime is the processor time that a process took so far, of all its threads,
// those that ended too; zero if it is gone. The kernel's clock of the process is exact, where
// /proc/PID/stat counts hundredths of a second and /proc/PID/schedstat one
// thread.
func cpuTime(pid int) time.Duration {
	const sched = 2 // CPUCLOCK_SCHED
	clock := uintptr(^pid<<3 | sched)
	var ts syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return 0
	}
	return time.Duration(ts.Nano())
}

// preciseThread makes pause exact in the calling thread. A timer of the runtime
// may come a millisecond late, and the kernel adds 50 microseconds unless told
// not to.
func preciseThread() {
	const setTimerSlack = 29 // PR_SET_TIMERSLACK
	syscall.RawSyscall(syscall.SYS_PRCTL, setTimerSlack, 1, 0)
}

// pause blocks the thread for d.
func pause(d time.Duration) {
	if d > 0 {
		ts := syscall.NsecToTimespec(int64(d))
		syscall.Nanosleep(&ts, nil)
	}
}

// bigBuffers keeps the kernel from dropping packets of the bench's own sockets
// while their process waits for a processor. Without privileges the buffer is
// as big as the system allows.
func bigBuffers(conn *net.UDPConn) {
	const size = 4 << 20
	conn.SetReadBuffer(size)
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, size)
	})
}

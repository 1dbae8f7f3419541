package udp

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/poll"
)

// readers are the goroutines that read all sockets, at most as many as can run at a time; they
// stay. Each has an epoll instance of its own (epoll(7)), which tells of what came, and waits in
// Go's poller for that. So no goroutine is started for a socket and none is woken to end, and no
// thread wakes because a packet has left, as Go's poller has it.
var readers struct {
	sync.Mutex
	all []*reader
}

type reader struct {
	epoll *os.File
	raw   syscall.RawConn
	fd    int          // of epoll
	since atomic.Int64 // the instant from which on it has read and handed on packets; 0: it waits for some

	mu    sync.Mutex
	conns map[int32]*conn // by descriptor
}

// maxReading is how long a reader may hand on what it has read. One that takes longer is held up,
// as by a log that takes no more lines: another is to read its sockets.
const maxReading = time.Second

// Reserve sees to it that sockets can be read when others have taken all file descriptors.
func Reserve() {
	readers.Lock()
	defer readers.Unlock()
	_, _ = leastBusyLocked()
}

// readConn has the reader with the fewest sockets read another. It also looks after readers that
// are held up.
func readConn(c *conn) error {
	readers.Lock()
	defer readers.Unlock()
	for _, r := range slices.Clone(readers.all) {
		if since := r.since.Load(); since != 0 && instant.Since(instant.Time(since)) > maxReading {
			r.replaceLocked()
		}
	}
	r, err := leastBusyLocked()
	if err != nil {
		return err
	}
	return r.addLocked(c)
}

// leastBusyLocked returns the reader with the fewest sockets: a new one if all have some, and more
// can run at a time.
func leastBusyLocked() (least *reader, err error) {
	for _, r := range readers.all {
		if least == nil || len(r.conns) < len(least.conns) {
			least = r
		}
	}
	if least != nil && (len(least.conns) == 0 || len(readers.all) >= runtime.GOMAXPROCS(0)) {
		return least, nil
	}
	fresh, err := newReader()
	if err != nil && least != nil {
		return least, nil
	}
	if err == nil {
		readers.all = append(readers.all, fresh)
	}
	return fresh, err
}

var errNotPolled = errors.New("the system's poller cannot wait for an epoll instance")

func newReader() (*reader, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	_ = unix.SetNonblock(fd, true) // Go's poller takes no others
	r := &reader{fd: fd, conns: make(map[int32]*conn)}
	if r.epoll, r.raw = poll.File(fd, "epoll"); r.epoll == nil {
		return nil, errNotPolled
	}
	go r.run()
	return r, nil
}

// run reads sockets until r is replaced. It is all one call of Read: so the poller, which wakes
// for an event once, wakes for each that came since the last look.
func (r *reader) run() {
	var events [maxBatch]unix.EpollEvent
	_ = r.raw.Read(func(fd uintptr) bool {
		in := takeInbox() // a reader that waits has none
		defer in.release()
		defer r.since.Store(0)
		for again := true; again; {
			n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, fd, uintptr(unsafe.Pointer(&events[0])), maxBatch, 0, 0, 0)
			if errno != 0 {
				n = 0
			}
			r.since.Store(int64(instant.Now()))
			again = n == maxBatch
			for _, e := range events[:n] {
				if c := r.conn(e.Fd); c != nil && c.read(in) {
					_ = r.control(unix.EPOLL_CTL_MOD, c) // it is told of again, after the others
					again = true
				}
			}
		}
		return false
	})
}

func (r *reader) conn(fd int32) *conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.conns[fd]
}

// replaceLocked has another read the sockets of r, whose goroutine ends when it can.
func (r *reader) replaceLocked() {
	fresh, err := newReader()
	if err != nil {
		return
	}
	readers.all[slices.Index(readers.all, r)] = fresh
	for _, c := range r.conns {
		_ = fresh.addLocked(c) // if it fails, the socket is soon replaced
		r.removeLocked(c)
	}
	go r.epoll.Close()
}

// addLocked has r read a socket.
func (r *reader) addLocked(c *conn) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.control(unix.EPOLL_CTL_ADD, c); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	r.conns[c.fd] = c
	return nil
}

// control has the system tell of what comes on a socket, once each time.
func (r *reader) control(how int, c *conn) error {
	return unix.EpollCtl(r.fd, how, int(c.fd), &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: c.fd})
}

// unread is called before a socket is closed; the system does the rest then.
func unread(c *conn) {
	readers.Lock()
	defer readers.Unlock()
	for _, r := range readers.all {
		r.removeLocked(c)
	}
}

func (r *reader) removeLocked(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conns[c.fd] == c {
		delete(r.conns, c.fd)
	}
}

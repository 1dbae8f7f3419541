package poll

import (
	"os"
	"syscall"
	"time"
)

// File has the system's poller wait for a descriptor, which does not block. If it cannot, as where
// the system allows no more, the descriptor is closed, and the file is nil.
func File(fd int, name string) (*os.File, syscall.RawConn) {
	file := os.NewFile(uintptr(fd), name)
	raw, err := file.SyscallConn()
	if err == nil {
		err = file.SetReadDeadline(time.Time{}) // which only what the poller knows can have
	}
	if err != nil {
		file.Close()
		return nil, nil
	}
	return file, raw
}

//go:build linux || darwin || freebsd

package explain

import (
	"os"
	"syscall"
	"unsafe"
)

// terminalSize returns the columns and lines of f if it is a terminal.
func terminalSize(f *os.File) (width, height int, terminal bool) {
	var size struct{ rows, columns, x, y uint16 }
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	return int(size.columns), int(size.rows), errno == 0
}

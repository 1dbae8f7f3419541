//go:build unix

package ports

import "syscall"

// fileLimit is how many file descriptors the process may have.
func fileLimit() int64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || uint64(limit.Cur) > unlimited {
		return unlimited
	}
	return int64(limit.Cur)
}

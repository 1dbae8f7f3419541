//go:build unix

package client

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// groupOf is the name of the group that may use a file; empty: it is unknown.
func groupOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	group, err := user.LookupGroupId(strconv.FormatUint(uint64(stat.Gid), 10))
	if err != nil {
		return ""
	}
	return group.Name
}

//go:build linux

package testkit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	netns   = "/run/netns"
	cgroups = "/sys/fs/cgroup"
)

// reap removes all that a run has made, which may be this one: first what its
// processes could make anew.
func reap(dir string) error {
	return errors.Join(killAll(dir), removeNamespaces(dir), removeCgroups(dir), unmountAll(dir), os.RemoveAll(dir))
}

// killAll ends the processes of a run, and returns when they are gone.
func killAll(dir string) error {
	for end := time.Now().Add(Patience); ; time.Sleep(10 * time.Millisecond) {
		pids := processes(dir)
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("processes %v of %s do not end", pids, dir)
		}
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// processes returns those that were started with the run in their environment,
// however they are related to it now, and those in its network namespaces and
// control groups, whatever their environment. This process is none of them.
func processes(dir string) (pids []int) {
	var networks []os.FileInfo
	for _, ns := range namespaces(dir) {
		if info, err := os.Stat(ns); err == nil {
			networks = append(networks, info)
		}
	}
	mark := []byte("\x00" + envRun + "=" + dir + "\x00")
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, proc := range all {
		env, _ := os.ReadFile(proc + "/environ")
		belongs := bytes.Contains(append([]byte{0}, env...), mark)
		if network, err := os.Stat(proc + "/ns/net"); err == nil && !belongs {
			belongs = slices.ContainsFunc(networks, func(n os.FileInfo) bool { return os.SameFile(n, network) })
		}
		if pid, err := strconv.Atoi(filepath.Base(proc)); err == nil && belongs {
			pids = append(pids, pid)
		}
	}
	for _, group := range controlGroups(dir) {
		text, _ := os.ReadFile(filepath.Join(group, "cgroup.procs"))
		for _, word := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return slices.DeleteFunc(pids, func(pid int) bool { return pid == os.Getpid() })
}

func namespaces(dir string) []string {
	all, _ := filepath.Glob(filepath.Join(netns, filepath.Base(dir)+"-*"))
	return all
}

func removeNamespaces(dir string) (err error) {
	for _, ns := range namespaces(dir) {
		if e := removeNetns(ns); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// controlGroups returns the run's, in all hierarchies, each before those in it.
func controlGroups(dir string) (groups []string) {
	mine := "/" + filepath.Base(dir) + "-"
	filepath.WalkDir(cgroups, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && strings.Contains(path, mine) {
			groups = append(groups, path)
		}
		return nil // groups come and go
	})
	return groups
}

// removeCgroups waits for the kernel to see that nobody is in them.
func removeCgroups(dir string) (err error) {
	for end := time.Now().Add(Patience); ; time.Sleep(10 * time.Millisecond) {
		err = nil
		for _, group := range slices.Backward(controlGroups(dir)) {
			if e := syscall.Rmdir(group); e != nil && e != syscall.ENOENT {
				err = errors.Join(err, fmt.Errorf("%s: %w", group, e))
			}
		}
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

func unmountAll(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for _, line := range slices.Backward(strings.Split(string(mounts), "\n")) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			err = errors.Join(err, syscall.Unmount(fields[4], syscall.MNT_DETACH))
		}
	}
	return err
}

package source

import (
	"errors"
	"maps"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// systemKnows is what may know the resolvers of this system.
const systemKnows = "systemd-resolved, NetworkManager, openresolv or resolvconf"

// systemSources returns all sources of what the system knows.
func systemSources() []Source {
	return []Source{newResolved(), newNetworkManager(), &records{dirs: recordDirs(), present: presentLinks}}
}

// watchLinks calls changed when a network interface has come, gone or got another name,
// until stop is called. The error says why changes are noticed late.
func watchLinks(changed func()) (stop func(), err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err == nil {
		if err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return func() {}, errors.Join(errors.New("links that come and go are noticed after some seconds, because the system gives no events"), err)
	}
	events := os.NewFile(uintptr(fd), "netlink")
	go func() {
		last := presentLinks()
		message := make([]byte, 1<<16) // what it says does not matter: the interfaces are listed
		for {
			// ENOBUFS says that events were lost.
			if _, err := events.Read(message); err != nil && !errors.Is(err, unix.ENOBUFS) {
				return
			}
			time.Sleep(eventRest)
			if now := presentLinks(); !maps.Equal(now, last) {
				last = now
				changed()
			}
		}
	}()
	return sync.OnceFunc(func() { events.Close() }), nil
}

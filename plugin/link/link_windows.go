package link

import (
	"math/bits"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/windows"
)

const canBind = true

const unicastIf = 31 // IP_UNICAST_IF, and IPV6_UNICAST_IF likewise

// bind passes the index in network byte order for IPv4, and in the machine's for IPv6.
func bind(fd uintptr, v6 bool, index uint32) error {
	level, value := windows.IPPROTO_IP, bits.ReverseBytes32(index)
	if v6 {
		level, value = windows.IPPROTO_IPV6, index
	}
	return os.NewSyscallError("setsockopt", windows.SetsockoptInt(windows.Handle(fd), level, unicastIf, int(int32(value))))
}

// leadsTo assumes that each interface has routes of its own.
func leadsTo(uint32, netip.Addr) bool { return true }

// events has Windows call back when an interface changes.
func events() (wait func() error, end func(), err error) {
	woken, ended := make(chan struct{}, 1), make(chan struct{})
	waiting.Store(woken, true)
	var handle windows.Handle
	if err := windows.NotifyIpInterfaceChange(windows.AF_UNSPEC, changed(), nil, false, &handle); err != nil {
		waiting.Delete(woken)
		return nil, nil, os.NewSyscallError("NotifyIpInterfaceChange", err)
	}
	return func() error {
			select {
			case <-woken:
				return nil
			case <-ended:
				return os.ErrClosed
			}
		}, sync.OnceFunc(func() {
			_ = windows.CancelMibChangeNotify2(handle)
			waiting.Delete(woken)
			close(ended)
		}), nil
}

// waiting holds the channel of each call of events that waits for a change.
var waiting sync.Map

// changed is the function that Windows calls: one for all, since a process can have few.
var changed = sync.OnceValue(func() uintptr {
	return windows.NewCallback(func(_, _, _ uintptr) uintptr {
		for woken := range waiting.Range {
			select {
			case woken.(chan struct{}) <- struct{}{}:
			default:
			}
		}
		return 0
	})
})

//go:build !linux

package link

import "net"

func hasCarrier(i *net.Interface) bool { return i.Flags&net.FlagRunning != 0 }

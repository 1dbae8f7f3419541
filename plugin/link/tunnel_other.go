//go:build !linux

package link

import (
	"net"
	"net/netip"
)

func routed(addr netip.Addr) *net.Interface { return sourceTo(addr) }

func carriesEthernet(*net.Interface) bool { return false }

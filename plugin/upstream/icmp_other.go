//go:build !linux

package upstream

import (
	"net"
	"syscall"
)

// reportICMP and forgetICMP are for Linux; other systems tell a connected socket
// of ICMP errors by themselves, or not at all.
func reportICMP(string, string, syscall.RawConn) error { return nil }

func forgetICMP(net.Conn) {}

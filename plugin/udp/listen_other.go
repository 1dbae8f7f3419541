//go:build !linux

package udp

import "net"

// Use has received take what comes on a socket that [Open] has opened, for the same family. If
// that fails the socket is closed.
func Use(udp *net.UDPConn, v6 bool, received Receiver) (Conn, error) {
	return plainOn(udp, v6, received), nil
}

//go:build !linux

package udp

import "net"

// Listen opens a socket for IPv6 or for IPv4, and has received take what comes.
func Listen(v6 bool, received Receiver) (Conn, error) {
	udp, err := Open(v6)
	if err != nil {
		return nil, err
	}
	return Use(udp, v6, received)
}

// Use has received take what comes on a socket that [Open] has opened, for the same family. If
// that fails the socket is closed.
func Use(udp *net.UDPConn, v6 bool, received Receiver) (Conn, error) {
	return plainOn(udp, v6, received), nil
}

// Reserve does nothing: a socket is all that is needed.
func Reserve() {}

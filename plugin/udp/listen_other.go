//go:build !linux

package udp

// Listen opens a socket for IPv6 or for IPv4, and has received take what comes.
func Listen(v6 bool, received Receiver) (Conn, error) { return listenPlain(v6, received) }

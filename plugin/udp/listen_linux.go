package udp

import (
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Listen opens a socket for IPv6 or for IPv4, and has received take what comes.
func Listen(v6 bool, received Receiver) (Conn, error) {
	file, err := onDrawnPort(func(port int) (*os.File, error) { return openUnpolled(v6, port) })
	if err != nil {
		return nil, err
	}
	return use(file, v6, received)
}

// openUnpolled opens a socket that Go's poller does not wait for: it takes none that block. No
// call on it does.
func openUnpolled(v6 bool, port int) (*os.File, error) {
	family, to := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: port})
	if v6 {
		family, to = unix.AF_INET6, &unix.SockaddrInet6{Port: port}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if v6 {
		err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1))
	}
	if err == nil {
		err = os.NewSyscallError("bind", unix.Bind(fd, to))
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "udp"), nil
}

// Use has received take what comes on a socket that [Open] has opened, for the same family. If
// that fails the socket is closed.
func Use(udp *net.UDPConn, v6 bool, received Receiver) (Conn, error) {
	return use(polledSocket{udp}, v6, received)
}

// polledSocket is one that Go's poller waits for, too. Its Close waits for calls under way, of
// which its caller may be in one.
type polledSocket struct{ *net.UDPConn }

func (s polledSocket) Close() error {
	go s.UDPConn.Close()
	return nil
}

func use(socket socket, v6 bool, received Receiver) (Conn, error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		socket.Close()
		return nil, err
	}
	c := &conn{socket: socket, raw: raw, received: received, v6: v6}
	// Best effort: silence and few packets are handled too. What ICMP says of the size of
	// packets is ignored, for anyone can say it: queries are small.
	_ = raw.Control(func(fd uintptr) {
		c.fd = int32(fd)
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer) != nil {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
		}
		if v6 {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_OMIT)
		} else {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVERR, 1)
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_OMIT)
		}
	})
	if err := readConn(c); err != nil {
		socket.Close()
		return nil, err
	}
	return c, nil
}

// Close implements Conn. The system's socket is closed once no call uses it.
func (c *conn) Close() {
	unread(c)
	c.socket.Close()
}

// Drops implements Conn.
func (c *conn) Drops() (n uint64) {
	const drops = 8 // SK_MEMINFO_DROPS
	_ = c.raw.Control(func(fd uintptr) {
		var info [drops + 1]uint32
		size := uint32(unsafe.Sizeof(info))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		if errno == 0 && size == uint32(unsafe.Sizeof(info)) {
			n = uint64(info[drops])
		}
	})
	return n
}

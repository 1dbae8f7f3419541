//go:build unix

package ports

import (
	"context"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// openStream opens a TCP socket that is not connected.
func openStream(v6 bool) (fd int, err error) {
	domain := syscall.AF_INET
	if v6 {
		domain = syscall.AF_INET6
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if fd, err = syscall.Socket(domain, syscall.SOCK_STREAM, 0); err != nil {
		return 0, err
	}
	syscall.CloseOnExec(fd)
	if err = syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return 0, err
	}
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	return fd, nil
}

// fileConn is a connection on a socket that package net has not opened, and would need another
// descriptor to take over.
type fileConn struct {
	*os.File
	to udp.Peer
}

func (c fileConn) LocalAddr() net.Addr  { return &net.TCPAddr{} }
func (c fileConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.to.Addr) }

// connect connects a TCP socket. If that fails the socket is closed.
func connect(ctx context.Context, fd int, to udp.Peer) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "socket")
	err := connectTo(ctx, f, to)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		f.Close()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(to.Addr), Err: err}
	}
	f.SetDeadline(time.Time{})
	return fileConn{f, to}, nil
}

func connectTo(ctx context.Context, f *os.File, to udp.Peer) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if bind := to.Dialer().Control; bind != nil {
		if err := bind("tcp", to.String(), raw); err != nil {
			return err
		}
	}
	defer context.AfterFunc(ctx, func() { f.SetDeadline(time.Unix(1, 0)) })()
	begun := false
	waited := raw.Write(func(fd uintptr) bool {
		if !begun {
			begun = true
			err = syscall.Connect(int(fd), sockaddr(to))
			return err != syscall.EINPROGRESS
		}
		var number int
		if number, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR); err != nil {
			return true
		}
		if number != 0 {
			err = syscall.Errno(number)
			return true
		}
		_, notYet := syscall.Getpeername(int(fd))
		return notYet == nil
	})
	if waited != nil {
		return waited
	}
	if err != nil {
		return os.NewSyscallError("connect", err)
	}
	return nil
}

func sockaddr(to udp.Peer) syscall.Sockaddr {
	addr, port := to.Addr.Addr(), int(to.Addr.Port())
	if addr.Is4() {
		return &syscall.SockaddrInet4{Port: port, Addr: addr.As4()}
	}
	sa := &syscall.SockaddrInet6{Port: port, Addr: addr.As16()}
	if link.Scoped(addr) {
		sa.ZoneId = to.Link
	}
	return sa
}

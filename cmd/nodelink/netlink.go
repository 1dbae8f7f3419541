//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"syscall"
)

// What package syscall does not name.
const (
	iflaInfoKind = 1   // IFLA_INFO_KIND
	scopeHost    = 254 // RT_SCOPE_HOST
)

var native = binary.NativeEndian

// conn is a rtnetlink(7) socket.
type conn struct{ fd int }

func dial() (conn, error) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return conn{}, os.NewSyscallError("socket", err)
	}
	return conn{fd}, nil
}

func (c conn) close() { syscall.Close(c.fd) }

// ensureLink makes a link, and sets it up. The kernel takes the same message
// for a link that exists, of whatever type, and then only sets it up.
func (c conn) ensureLink(name, kind string) error {
	header := make([]byte, syscall.SizeofIfInfomsg)
	native.PutUint32(header[8:], syscall.IFF_UP)  // flags
	native.PutUint32(header[12:], syscall.IFF_UP) // which of them to change
	return c.request(syscall.RTM_NEWLINK, syscall.NLM_F_CREATE, header,
		attribute(syscall.IFLA_IFNAME, append([]byte(name), 0)),
		attribute(syscall.IFLA_LINKINFO, attribute(iflaInfoKind, []byte(kind))))
}

// ensureAddress gives an address to a link, for this node only: it becomes no
// source of packets to others. There is nobody to ask whether it is taken.
func (c conn) ensureAddress(link int, addr netip.Addr) error {
	header := make([]byte, syscall.SizeofIfAddrmsg)
	header[0] = syscall.AF_INET6
	if addr.Is4() {
		header[0] = syscall.AF_INET
	}
	header[1] = byte(addr.BitLen())
	header[2] = syscall.IFA_F_NODAD
	header[3] = scopeHost
	native.PutUint32(header[4:], uint32(link))
	return c.request(syscall.RTM_NEWADDR, syscall.NLM_F_CREATE|syscall.NLM_F_REPLACE, header,
		attribute(syscall.IFA_LOCAL, addr.AsSlice()),
		attribute(syscall.IFA_ADDRESS, addr.AsSlice()))
}

// attribute is a rtattr: length, type, data, padding.
func attribute(kind uint16, data []byte) []byte {
	length := syscall.SizeofRtAttr + len(data)
	b := make([]byte, syscall.SizeofRtAttr, length+3)
	native.PutUint16(b, uint16(length))
	native.PutUint16(b[2:], kind)
	b = append(b, data...)
	return b[:(length+3)&^3]
}

// request sends a message to the kernel and waits for its verdict.
func (c conn) request(kind, flags uint16, parts ...[]byte) error {
	message := make([]byte, syscall.SizeofNlMsghdr)
	for _, part := range parts {
		message = append(message, part...)
	}
	native.PutUint32(message, uint32(len(message)))
	native.PutUint16(message[4:], kind)
	native.PutUint16(message[6:], flags|syscall.NLM_F_REQUEST|syscall.NLM_F_ACK)
	if err := syscall.Sendto(c.fd, message, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	reply := make([]byte, 8192)
	n, _, err := syscall.Recvfrom(c.fd, reply, 0)
	if err != nil {
		return os.NewSyscallError("recvfrom", err)
	}
	answers, err := syscall.ParseNetlinkMessage(reply[:n])
	if err != nil {
		return err
	}
	for _, a := range answers {
		if a.Header.Type != syscall.NLMSG_ERROR || len(a.Data) < 4 {
			continue
		}
		if errno := -int32(native.Uint32(a.Data)); errno != 0 {
			return syscall.Errno(errno)
		}
		return nil
	}
	return fmt.Errorf("no word from the kernel about request %d", kind)
}

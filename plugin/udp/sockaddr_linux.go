package udp

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// control is a buffer for a control message that names a link.
type control struct {
	_    [0]unix.Cmsghdr // for its alignment
	data [unix.SizeofCmsghdr + unix.SizeofInet6Pktinfo + 4]byte
}

// put writes the link that a packet is to leave by, and returns the length.
func (c *control) put(v6 bool, link uint32) int {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&c.data))
	info := unsafe.Pointer(&c.data[unix.CmsgLen(0)])
	if v6 {
		h.Level, h.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
		h.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
		*(*unix.Inet6Pktinfo)(info) = unix.Inet6Pktinfo{Ifindex: link}
		return unix.CmsgSpace(unix.SizeofInet6Pktinfo)
	}
	h.Level, h.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
	h.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
	*(*unix.Inet4Pktinfo)(info) = unix.Inet4Pktinfo{Ifindex: int32(link)}
	return unix.CmsgSpace(unix.SizeofInet4Pktinfo)
}

// linkOf reads the link that a packet came by from control messages; 0: they do not say.
func linkOf(data []byte) uint32 {
	for len(data) >= unix.SizeofCmsghdr {
		h, info, rest, err := unix.ParseOneSocketControlMessage(data)
		switch {
		case err != nil:
			return 0
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(info) >= 4:
			return binary.NativeEndian.Uint32(info)
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(info) >= unix.SizeofInet6Pktinfo:
			return binary.NativeEndian.Uint32(info[16:])
		}
		data = rest
	}
	return 0
}

// putPeer writes a peer as the system's structure, and returns its length.
func putPeer(to *unix.RawSockaddrInet6, p Peer) uint32 {
	if p.Addr.Addr().Is4() {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(to))
		*v4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: swapped(p.Addr.Port()), Addr: p.Addr.Addr().As4()}
		return unix.SizeofSockaddrInet4
	}
	*to = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: swapped(p.Addr.Port()), Addr: p.Addr.Addr().As16(), Scope_id: p.Link}
	return unix.SizeofSockaddrInet6
}

// peerOf reads a peer from the system's structure.
func peerOf(from *unix.RawSockaddrInet6) Peer {
	if from.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(from))
		return Peer{Addr: netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), swapped(v4.Port))}
	}
	return Peer{Addr: netip.AddrPortFrom(netip.AddrFrom16(from.Addr), swapped(from.Port)), Link: from.Scope_id}
}

// swapped turns a port of the machine's order of bytes into one of the network's, or back.
func swapped(port uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return binary.NativeEndian.Uint16(b[:])
}

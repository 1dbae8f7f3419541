//go:build linux

package main

import (
	"errors"
	"net"
	"net/netip"

	"github.com/jsimonetti/rtnetlink/v2"
	"golang.org/x/sys/unix"
)

// ensureLink makes an interface that is up; one that exists, of whatever type, is only set
// up. It returns its index.
func ensureLink(conn *rtnetlink.Conn, name, kind string) (index uint32, err error) {
	up := rtnetlink.LinkMessage{Flags: unix.IFF_UP, Change: unix.IFF_UP}
	made := up
	made.Attributes = &rtnetlink.LinkAttributes{Name: name, Info: &rtnetlink.LinkInfo{Kind: kind}}
	err = conn.Link.New(&made)
	exists := errors.Is(err, unix.EEXIST)
	if err != nil && !exists {
		return 0, err
	}
	link, err := net.InterfaceByName(name)
	if err != nil {
		return 0, err
	}
	up.Index = uint32(link.Index)
	if exists {
		err = conn.Link.Set(&up)
	}
	return up.Index, err
}

// ensureAddress gives an address to an interface, for this node only: it never becomes the
// source of packets to others. Duplicate address detection would find nothing.
func ensureAddress(conn *rtnetlink.Conn, link uint32, addr netip.Addr) error {
	family := uint8(unix.AF_INET6)
	if addr.Is4() {
		family = unix.AF_INET
	}
	err := conn.Address.New(&rtnetlink.AddressMessage{
		Family:       family,
		PrefixLength: uint8(addr.BitLen()),
		Scope:        unix.RT_SCOPE_HOST,
		Index:        link,
		Attributes:   &rtnetlink.AddressAttributes{Address: addr.AsSlice(), Local: addr.AsSlice(), Flags: unix.IFA_F_NODAD},
	})
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

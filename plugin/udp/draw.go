package udp

import (
	"crypto/rand"
	_ "embed"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Ports are drawn here and not by the system: that draws from fewer, and some systems take
// one after another (RFC 5452, section 9.2; RFC 6056).

const (
	leastPort = 1024
	maxDraws  = 10 // ports in a row that others have, before the system is asked for one
)

// assigned are the UDP ports that IANA has assigned, from leastPort on: one of them, or
// FIRST-LAST, a line (Service Name and Transport Protocol Port Number Registry).
//
//go:embed assigned.txt
var assigned string

// others are ports of servers that may be started later: those of VPNs, and what Kubernetes
// gives to services.
const others = "1194-1199,1701,4500-4501,41641-41650,51820-51839,30000-32767"

// portSet is a set of ports, as bits.
type portSet [1 << 16 / 64]uint64

func (s *portSet) has(port uint16) bool { return s[port/64]&(1<<(port%64)) != 0 }

// add adds ports and ranges that are separated by commas or white space. What is neither is
// passed over.
func (s *portSet) add(list string) {
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == '\n' || r == ' ' || r == '\t' }) {
		first, last, isRange := strings.Cut(word, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 16)
		to, err2 := strconv.ParseUint(last, 10, 16)
		if err != nil || err2 != nil {
			continue
		}
		for port := from; port <= to; port++ {
			s[port/64] |= 1 << (port % 64)
		}
	}
}

// taken are the ports that are never drawn.
var taken = sync.OnceValue(func() *portSet {
	s := new(portSet)
	s.add(assigned)
	s.add(others)
	return s
})

// draw draws a port at random that is not taken, and not one of those that are reserved on
// this machine.
func draw(reserved *portSet) uint16 {
	for {
		var b [2]byte
		rand.Read(b[:]) // never fails
		port := binary.NativeEndian.Uint16(b[:])
		if port >= leastPort && !taken().has(port) && !reserved.has(port) {
			return port
		}
	}
}

// onDrawnPort calls open with a port that was drawn; again while others have the port, and
// with 0, for one of the system's choice, when that was so too often.
func onDrawnPort[C any](open func(port int) (C, error)) (conn C, err error) {
	reserved := new(portSet)
	reserved.add(reservedPorts())
	for range maxDraws {
		if conn, err = open(int(draw(reserved))); err == nil || !inUse(err) {
			return conn, err
		}
	}
	return open(0)
}

// inUse reports whether an error says that a port cannot be had, but another may.
func inUse(err error) bool {
	var number syscall.Errno
	return errors.As(err, &number) && (number == addressInUse || number == forbidden)
}

package udp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxBatch is how many packets are sent or read in one system call.
const maxBatch = 16

// batch is what the system is given of packets. Of its memory only what packets have
// filled is ever used.
type batch struct {
	headers [maxBatch]unix.Mmsghdr
	data    [maxBatch]unix.Iovec
	names   [maxBatch]unix.RawSockaddrInet6 // or the shorter ones of IPv4
	links   [maxBatch]control               // that packets leave or came by, if it matters
}

func (b *batch) init() {
	for i := range b.headers {
		h := &b.headers[i].Hdr
		h.Iov = &b.data[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Control = (*byte)(unsafe.Pointer(&b.links[i]))
	}
}

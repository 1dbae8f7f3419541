package ports

import (
	"encoding/binary"
	"slices"

	"github.com/dnsmus/dnsmus/plugin/udp"
)

// Batch is packets that leave together: those from one port in one system call, where the
// system has such calls. Its zero value is empty; it is for one goroutine.
type Batch struct {
	bytes   []byte
	packets []udp.Packet
	sockets []*Socket // of each packet
}

// Add puts a message with an id of its own beside the others that leave from the socket's
// port. The message is copied.
func (b *Batch) Add(s *Socket, id uint16, msg []byte) {
	begin := len(b.bytes)
	b.bytes = binary.BigEndian.AppendUint16(b.bytes, id)
	b.bytes = append(b.bytes, msg[2:]...)
	n := len(b.sockets)
	b.packets = append(b.packets, udp.Packet{Peer: s.Peer, Msg: b.bytes[begin:]})
	b.sockets = append(b.sockets, s)
	if n > 0 && b.sockets[n-1].port != s.port {
		b.sort()
	}
}

// sort moves the last packet beside the others from its port.
func (b *Batch) sort() {
	n := len(b.sockets) - 1
	for i := n; i > 0; i-- {
		if b.sockets[i-1].port == b.sockets[n].port {
			packet, socket := b.packets[n], b.sockets[n]
			b.packets, b.sockets = slices.Insert(b.packets[:n], i, packet), slices.Insert(b.sockets[:n], i, socket)
			return
		}
	}
}

// Send sends what is in the batch, reports to the owners what was not sent, and empties it.
func (b *Batch) Send() {
	for i := 0; i < len(b.packets); {
		port, n := b.sockets[i].port, 1
		for i+n < len(b.sockets) && b.sockets[i+n].port == port {
			n++
		}
		port.conn.Send(b.packets[i : i+n])
		i += n
	}
	for i := range b.packets {
		if p := &b.packets[i]; p.Err != nil {
			b.sockets[i].owner.NotSent(binary.BigEndian.Uint16(p.Msg), p.Err)
		}
	}
	clear(b.packets)
	clear(b.sockets)
	b.packets, b.sockets, b.bytes = b.packets[:0], b.sockets[:0], b.bytes[:0]
}

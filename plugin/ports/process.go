package ports

import (
	"context"
	"net"

	"github.com/dnsmus/dnsmus/plugin/udp"
)

// process opens the sockets of all upstreams of the process. Each UDP port needs a file
// descriptor, and so does each connection, encrypted or not; together they may take half of
// those that the process may have, so that listeners and clients keep theirs.
var process = newProcess()

func newProcess() *Budget {
	b := NewBudget(fileLimit()/4, fileLimit()/4)
	b.spares = newSpares(fileLimit())
	return b
}

// New returns ports, each of which is opened when it is first needed.
func New() *Ports { return process.Ports() }

// Reserve opens the descriptors that are held open for the time when others have taken all.
func Reserve() {
	udp.Reserve()
	process.spares.fill()
}

// OnShort is [Budget.OnShort] of the whole process.
func OnShort(f func()) { process.OnShort(f) }

// Drops counts the packets of upstreams that the whole process did not read in time, and
// so lost, so far as the system tells.
func Drops() uint64 { return process.dropped() }

// Connections counts the connections of the whole process to upstreams.
func Connections() int {
	_, _, connections := process.Open()
	return connections
}

// Dial opens a TCP connection within the budget of the process.
func Dial(ctx context.Context, to udp.Peer) (net.Conn, error) { return process.Dial(ctx, to) }

// ListenUDP opens a UDP socket for one connection, within the budget of the process.
func ListenUDP(ctx context.Context, to udp.Peer) (*CountedUDP, error) {
	return process.ListenUDP(ctx, to)
}

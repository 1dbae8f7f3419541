package testkit

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports of servers: none that the kernel gives to a socket which asks for any.
// CoreDNS and dig both share ports (SO_REUSEPORT), so dig could get the very port
// that it asks, and hear itself. Each run of tests takes blocks of them for itself, by
// listening on the first port of each until it ends: a port that is free stays so
// until the server has it that it was found for.
const (
	firstPort  = 10000
	blockPorts = 500
	portBlocks = 44
)

var ports = struct {
	sync.Mutex
	block, next int // of the port that comes next
	held        []io.Closer
}{block: rand.IntN(portBlocks), next: blockPorts}

// nextAddr is the address of a port of 127.0.0.1 that no other run uses.
func nextAddr() string {
	ports.Lock()
	defer ports.Unlock()
	if ports.next == blockPorts {
		ports.next = 1
		for range portBlocks { // if all are taken, any is as good
			ports.block = (ports.block + 1) % portBlocks
			if udp, tcp, err := listenBoth(localPort(0)); err == nil {
				ports.held = append(ports.held, udp, tcp)
				break
			}
		}
	}
	ports.next++
	return localPort(ports.next - 1)
}

// localPort is a port of the present block.
func localPort(n int) string {
	return fmt.Sprintf("127.0.0.1:%d", firstPort+ports.block*blockPorts+n)
}

// listenBoth opens one port for both transports.
func listenBoth(addr string) (net.PacketConn, net.Listener, error) {
	udp, err := net.ListenPacket("udp", addr)
	if err != nil {
		return nil, nil, err
	}
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		udp.Close()
		return nil, nil, err
	}
	return udp, tcp, nil
}

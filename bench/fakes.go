//go:build linux

package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// fake is an upstream that gives every query the same kind of reply.
type fake struct {
	kind  kind
	hole  bool          // it takes everything and says nothing
	delay time.Duration // before each reply
	loss  float64       // the share of queries over UDP whose query or reply is lost
	noTCP bool          // connections are refused
}

// parseFake reads what a fake is to be: a kind or "hole", then any of
// ",delay=20ms", ",loss=0.1" and ",notcp".
func parseFake(spec string) (fake, error) {
	var f fake
	words := strings.Split(spec, ",")
	switch i := indexOf(kindNames[:other], words[0]); {
	case i >= 0:
		f.kind = kind(i)
	case words[0] == "hole":
		f.hole = true
	default:
		return f, fmt.Errorf("%q is no kind of fake", words[0])
	}
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		var err error
		switch key {
		case "delay":
			f.delay, err = time.ParseDuration(value)
		case "loss":
			f.loss, err = strconv.ParseFloat(value, 64)
		case "notcp":
			f.noTCP = true
		default:
			err = fmt.Errorf("%q is no property of a fake", key)
		}
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

func indexOf(list []string, s string) int {
	for i := range list {
		if list[i] == s {
			return i
		}
	}
	return -1
}

// runFakes is the process of the fakes. It prints their addresses as JSON and
// serves until its standard input is closed, which the end of its parent does
// too.
func runFakes(specs []string) error {
	var addrs []string
	for _, spec := range specs {
		f, err := parseFake(spec)
		if err != nil {
			return err
		}
		addr, err := f.listen()
		if err != nil {
			return err
		}
		addrs = append(addrs, addr)
	}
	if err := json.NewEncoder(os.Stdout).Encode(addrs); err != nil {
		return err
	}
	io.Copy(io.Discard, os.Stdin)
	return nil
}

// listen opens f's sockets and serves them.
func (f fake) listen() (addr string, err error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return "", err
	}
	addr = conn.LocalAddr().String()
	if !f.noTCP {
		// A hole's connections are made by the kernel, and that is all.
		l, err := net.Listen("tcp4", addr)
		if err != nil {
			return "", err
		}
		if !f.hole {
			go f.serveTCP(l)
		}
	}
	if !f.hole {
		bigBuffers(conn)
		go f.serveUDP(conn)
	}
	return addr, nil
}

func (f fake) serveUDP(conn *net.UDPConn) {
	send := func(msg []byte, to netip.AddrPort) { conn.WriteToUDPAddrPort(msg, to) }
	if f.delay > 0 {
		send = later(f.delay, send)
	}
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if f.loss > 0 && rand.Float64() < f.loss {
			continue
		}
		if msg := reply(buf, n, f.kind); msg != nil {
			send(msg, from)
		}
	}
}

// later returns a send that waits for delay. All wait equally long, so a queue
// and one goroutine are enough.
func later(delay time.Duration, send func([]byte, netip.AddrPort)) func([]byte, netip.AddrPort) {
	type packet struct {
		due time.Time
		msg []byte
		to  netip.AddrPort
	}
	queue := make(chan packet, 1<<14)
	go func() {
		for p := range queue {
			time.Sleep(time.Until(p.due))
			send(p.msg, p.to)
		}
	}()
	return func(msg []byte, to netip.AddrPort) {
		queue <- packet{time.Now().Add(delay), append([]byte(nil), msg...), to}
	}
}

func (f fake) serveTCP(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go f.serveStream(conn)
	}
}

func (f fake) serveStream(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 2+4096)
	for {
		if _, err := io.ReadFull(conn, buf[:2]); err != nil {
			return
		}
		n := int(binary.BigEndian.Uint16(buf))
		if n > 4096 {
			return
		}
		if _, err := io.ReadFull(conn, buf[2:2+n]); err != nil {
			return
		}
		msg := reply(buf[2:], n, f.kind)
		if msg == nil {
			continue
		}
		binary.BigEndian.PutUint16(buf, uint16(len(msg)))
		frame := append([]byte(nil), buf[:2+len(msg)]...)
		time.AfterFunc(f.delay, func() { conn.Write(frame) })
	}
}

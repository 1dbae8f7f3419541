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
	"sync/atomic"
	"time"
)

// fake is an upstream that gives every query the same kind of reply.
type fake struct {
	kind  kind
	hole  bool          // it takes everything and says nothing
	delay time.Duration // before each reply
	loss  float64       // the share of queries over UDP whose query or reply is lost
	noTCP bool          // connections are refused
	sleep bool          // it says nothing before the fakes are woken
	ttl   uint32        // of its answers; 0: as in [answer]
	over  string        // the encrypted transport; empty: plain DNS
	certs string        // the directory of its certificate
}

// awake is set when the fakes of this process are woken.
var awake atomic.Bool

// parseFake reads what a fake is to be: a kind or "hole", then any of
// ",delay=20ms", ",loss=0.1", ",notcp", ",ttl=5" and ",sleep"; or ",over=TRANSPORT" and
// ",certs=DIR".
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
		case "sleep":
			f.sleep = true
		case "ttl":
			var ttl uint64
			ttl, err = strconv.ParseUint(value, 10, 31)
			f.ttl = uint32(ttl)
		case "over":
			f.over = value
			if indexOf(transports, value) < 0 {
				err = fmt.Errorf("%q is no encrypted transport", value)
			}
		case "certs":
			f.certs = value
		default:
			err = fmt.Errorf("%q is no property of a fake", key)
		}
		if err != nil {
			return f, err
		}
	}
	if plain := (fake{kind: f.kind, over: f.over, certs: f.certs}); f.over != "" && f != plain {
		return f, fmt.Errorf("%q: encrypted fakes have no other properties", spec)
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
// too. Any byte before that wakes those that sleep.
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
	if _, err := os.Stdin.Read(make([]byte, 1)); err == nil {
		awake.Store(true)
	}
	io.Copy(io.Discard, os.Stdin)
	return nil
}

// listen opens f's sockets and serves them.
func (f fake) listen() (addr string, err error) {
	if f.over != "" {
		return f.listenEncrypted()
	}
	conn, l, err := f.bind()
	for range 10 { // the port may be taken for TCP
		if err == nil {
			break
		}
		conn, l, err = f.bind()
	}
	if err != nil {
		return "", err
	}
	if l != nil && !f.hole { // a hole's connections are made by the kernel, and that is all
		go f.serveTCP(l)
	}
	if !f.hole {
		bigBuffers(conn)
		go f.serveUDP(conn)
	}
	return conn.LocalAddr().String(), nil
}

// bind opens a UDP socket and, unless f refuses connections, a listener at the
// same port.
func (f fake) bind() (*net.UDPConn, net.Listener, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil || f.noTCP {
		return conn, nil, err
	}
	l, err := net.Listen("tcp4", conn.LocalAddr().String())
	if err != nil {
		conn.Close()
	}
	return conn, l, err
}

func (f fake) silent() bool { return f.sleep && !awake.Load() }

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
		if f.silent() || f.loss > 0 && rand.Float64() < f.loss {
			continue
		}
		if msg := reply(buf, n, f.kind, f.ttl); msg != nil {
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
		frame := framed(buf, n, f.kind, f.ttl)
		if frame == nil || f.silent() {
			continue
		}
		if f.delay == 0 {
			conn.Write(frame)
			continue
		}
		frame = append([]byte(nil), frame...)
		time.AfterFunc(f.delay, func() { conn.Write(frame) })
	}
}

// framed makes a reply out of the query of n bytes that follows its length in b,
// in place and with its own length before it. It is nil if that is no query.
func framed(b []byte, n int, k kind, ttl uint32) []byte {
	msg := reply(b[2:], n, k, ttl)
	if msg == nil {
		return nil
	}
	binary.BigEndian.PutUint16(b, uint16(len(msg)))
	return b[:2+len(msg)]
}

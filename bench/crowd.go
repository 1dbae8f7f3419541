//go:build linux

package main

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// crowd is many clients, each with a socket or connection of its own, which ask one after
// another: so many queries are under way at a time as a few clients have at full load. Over
// streams each may also have some queries under way at a time.
type crowd struct {
	load
	idle chan *member
}

// member is one of them.
type member struct {
	conn  net.Conn
	query []byte // with room for its length before it
	buf   []byte
	base  uint32      // of the numbers of its queries
	next  uint32      // without base
	sent  []time.Time // when each query under way was, the oldest first
}

const (
	memberBits = 10 // of a query's number, for those of one member; above them is the member's
	maxMembers = 10000
)

// runCrowd asks until the time is up.
func (l load) runCrowd() (tally, error) {
	c := &crowd{load: l, idle: make(chan *member, l.Clients)}
	for i := range l.Clients {
		conn, err := l.connect()
		if err != nil {
			return tally{}, err
		}
		defer conn.Close()
		m := &member{conn: conn, buf: make([]byte, 2048), base: (l.First + uint32(i)) << memberBits, query: append(make([]byte, 2), newQuery(!l.Plain)...)}
		binary.BigEndian.PutUint16(m.query, uint16(len(m.query)-2))
		c.idle <- m
	}
	// What it takes to connect is not what a query takes.
	fmt.Fprintln(os.Stderr, connected)
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		return tally{}, err
	}
	return c.run(), nil
}

// connected is what a crowd says when all have their connections. It begins when it is
// sent a byte.
const connected = "connected"

// connect opens a client's way to the server.
func (l load) connect() (net.Conn, error) {
	switch l.Over {
	case "", "udp":
		return net.Dial("udp4", l.Server)
	case "tcp":
		return net.Dial("tcp4", l.Server)
	}
	return tls.Dial("tcp4", l.Server, &tls.Config{InsecureSkipVerify: true}) // what is measured is the server
}

func (c *crowd) run() (sum tally) {
	sum.Kinds = make(map[string]int)
	var mu sync.Mutex
	var all []time.Duration
	var askers sync.WaitGroup
	end := time.Now().Add(c.For)
	for range min(clientSockets*window, c.Clients) {
		askers.Go(func() {
			var lat []time.Duration
			var kinds [kinds]int
			sent, lost, strange := 0, 0, 0
			for time.Now().Before(end) {
				m := <-c.idle
				k, took, err := m.ask(c.load)
				c.idle <- m
				sent++
				switch {
				case err == nil:
					lat = append(lat, took)
					kinds[k]++
				case errors.Is(err, errStrange):
					strange++
				default:
					lost++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			sum.Sent, sum.Lost, sum.Strange = sum.Sent+sent, sum.Lost+lost, sum.Strange+strange
			for k, n := range kinds {
				if n > 0 {
					sum.Kinds[kind(k).String()] += n
				}
			}
			all = append(all, lat...)
		})
	}
	askers.Wait()
	sum.take(all)
	return sum
}

var errStrange = errors.New("a reply to another question")

// ask asks until as many queries are under way as may be, and waits for the reply to the
// oldest: these servers reply to those of one connection in their order.
func (m *member) ask(l load) (k kind, took time.Duration, err error) {
	stream := l.Over != "" && l.Over != "udp"
	m.conn.SetDeadline(time.Now().Add(l.Timeout))
	for len(m.sent) < max(l.Ahead, 1) {
		if err := m.send(stream); err != nil {
			return 0, 0, err
		}
	}
	begun := m.sent[0]
	m.sent = m.sent[1:]
	k, err = m.receive(stream, m.number(m.next-uint32(len(m.sent))-1))
	return k, time.Since(begun), err
}

// number is that of the member's n-th query.
func (m *member) number(n uint32) uint32 { return m.base + n&(1<<memberBits-1) }

// send asks the next question.
func (m *member) send(stream bool) error {
	number(m.query[2:], m.number(m.next))
	m.next++
	query := m.query[2:]
	if stream {
		query = m.query
	}
	m.sent = append(m.sent, time.Now())
	_, err := m.conn.Write(query)
	return err
}

// receive waits for the reply to the query of that number.
func (m *member) receive(stream bool, n uint32) (kind, error) {
	for {
		size, err := 0, error(nil)
		if stream {
			if _, err = io.ReadFull(m.conn, m.buf[:2]); err == nil {
				size = min(int(binary.BigEndian.Uint16(m.buf)), len(m.buf))
				_, err = io.ReadFull(m.conn, m.buf[:size])
			}
		} else {
			size, err = m.conn.Read(m.buf)
		}
		switch {
		case err != nil:
			return 0, err
		case size < headerSize:
			return 0, errStrange
		case isNumber(m.buf[:size], n):
			return kindOf(m.buf[:size]), nil
		case stream:
			return 0, errStrange
		} // over UDP it may be one that came too late
	}
}

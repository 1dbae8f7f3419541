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
// another: so many queries are under way at a time as a few clients have at full load.
type crowd struct {
	load
	idle chan *member
}

// member is one of them.
type member struct {
	conn  net.Conn
	query []byte // with room for its length before it
	buf   []byte
	base  uint32 // of the numbers of its queries
	next  uint32 // without base
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
				begun := time.Now()
				k, err := m.ask(c.Over, begun.Add(c.Timeout))
				c.idle <- m
				sent++
				switch {
				case err == nil:
					lat = append(lat, time.Since(begun))
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

// ask asks the next question and waits for the reply.
func (m *member) ask(over string, deadline time.Time) (kind, error) {
	n := m.base + m.next&(1<<memberBits-1)
	m.next++
	number(m.query[2:], n)
	m.conn.SetDeadline(deadline)
	stream := over != "" && over != "udp"
	query := m.query[2:]
	if stream {
		query = m.query
	}
	if _, err := m.conn.Write(query); err != nil {
		return 0, err
	}
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

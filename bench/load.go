//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// load is one run of the client, as its process is told.
type load struct {
	Server  string        // address and port
	Rate    int           // queries a second, sent on schedule; zero is as fast as it goes
	For     time.Duration // how long queries are sent
	Timeout time.Duration // a query is lost when its reply took longer
	Plain   bool          // without EDNS, which most clients have
	First   uint32        // number of the first query of each socket
	Clients int           // so many take turns, each with a socket of its own; zero: a few ask at all times
	Ahead   int           // so many queries each has under way at a time, over streams; zero: one
	Over    string        // what they ask over: udp, tcp or tls; empty: udp
	Names   int           // so many are asked for, some more often; zero: no name is asked for twice
}

const (
	socketBits    = 24 // of a query's number; above them is that of the socket
	clientSockets = 8
	window        = 16 // queries under way on each socket at full load
)

// tally is what became of a load.
type tally struct {
	Sent, Answered, Lost int
	Strange              int            // replies to another question, of which each is a bug
	Kinds                map[string]int // how many answers were of which kind
	P50, P99, Max        time.Duration  // from the moment when a query should have been sent
}

// runLoad is the process of the client. It prints its tally as JSON.
func runLoad(args []string) error {
	var l load
	if err := json.Unmarshal([]byte(args[0]), &l); err != nil {
		return err
	}
	if l.Clients > 0 {
		sum, err := l.runCrowd()
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(sum)
	}
	c := &client{load: l}
	for i := range clientSockets {
		conn, err := net.Dial("udp4", l.Server)
		if err != nil {
			return err
		}
		bigBuffers(conn.(*net.UDPConn))
		s := &socket{c: c, conn: conn, base: uint32(i) << socketBits, query: newQuery(!l.Plain), tail: l.First}
		if l.Names > 0 {
			s.names = newZipfNames(l.Names)
		}
		s.next.Store(l.First)
		c.sockets = append(c.sockets, s)
	}
	return json.NewEncoder(os.Stdout).Encode(c.run())
}

type client struct {
	load
	start   time.Time
	sent    atomic.Bool // no more queries will be sent
	sockets []*socket
}

// socket asks and listens on one port.
type socket struct {
	c     *client
	conn  net.Conn
	base  uint32 // of the numbers of its queries
	query []byte
	names *zipfNames // nil: no name is asked for twice

	asked         [1 << 16]uint32       // the number in the name of each query
	next          atomic.Uint32         // query's number, without base
	due           [1 << 16]atomic.Int64 // when each was due, after the start; zero: settled
	tail          uint32                // all queries before this are settled
	lat           []time.Duration       // of those answered
	kind          [kinds]int            // of those answered
	lost, strange int
}

func (c *client) run() tally {
	c.start = time.Now()
	var readers sync.WaitGroup
	for _, s := range c.sockets {
		readers.Go(s.read)
	}
	if c.Rate > 0 {
		c.sendOnSchedule()
	} else {
		time.Sleep(c.For)
	}
	c.sent.Store(true)
	readers.Wait()
	return c.tally()
}

func (c *client) sendOnSchedule() {
	runtime.LockOSThread()
	preciseThread()
	gap := time.Second / time.Duration(c.Rate)
	for i := range int(c.For / gap) {
		due := time.Duration(i) * gap
		pause(due - time.Since(c.start))
		c.sockets[i%len(c.sockets)].send(due)
	}
}

// send asks the next question.
func (s *socket) send(due time.Duration) {
	n := s.next.Load()
	name := s.base | n
	number(s.query, name)
	if s.names != nil {
		name = s.names.draw()
		putDigits(s.query[digitsAt:], name)
	}
	s.asked[uint16(n)] = name
	s.due[uint16(n)].Store(max(int64(due), 1))
	s.next.Store(n + 1)
	s.conn.Write(s.query)
}

// read takes replies until all queries are settled. At full load each settled
// query makes way for the next; all is done in this goroutine then.
func (s *socket) read() {
	full := s.c.Rate == 0
	if full {
		for range window {
			s.send(time.Since(s.c.start))
		}
	}
	buf := make([]byte, 4096)
	const tick = 50 * time.Millisecond
	s.conn.SetReadDeadline(time.Now().Add(tick))
	for {
		n, err := s.conn.Read(buf)
		settled := 0
		now := time.Since(s.c.start)
		switch {
		case err == nil:
			settled = s.take(buf[:n], now)
		case errors.Is(err, os.ErrDeadlineExceeded):
			settled = s.expire(now)
			if s.c.sent.Load() && s.tail == s.next.Load() {
				return
			}
			s.conn.SetReadDeadline(time.Now().Add(tick))
		default:
			time.Sleep(time.Millisecond) // the port is closed: the server has died
		}
		for range settled {
			if full && !s.c.sent.Load() {
				s.send(now)
			}
		}
	}
}

// take counts a reply and returns how many queries it settled.
func (s *socket) take(msg []byte, now time.Duration) int {
	if len(msg) < headerSize {
		s.strange++
		return 0
	}
	id := uint16(msg[0])<<8 | uint16(msg[1])
	due := s.due[id].Swap(0)
	if !isNumber(msg, s.asked[id]) { // of the latest query with this id
		s.due[id].CompareAndSwap(0, due)
		s.strange++
		return 0
	}
	if due == 0 {
		return 0 // too late, or twice
	}
	s.lat = append(s.lat, now-time.Duration(due))
	s.kind[kindOf(msg)]++
	return 1
}

// expire settles the queries that wait for too long already.
func (s *socket) expire(now time.Duration) (settled int) {
	for next := s.next.Load(); s.tail != next; s.tail++ {
		due := &s.due[uint16(s.tail)]
		switch at := due.Load(); {
		case at == 0:
		case now-time.Duration(at) < s.c.Timeout:
			return settled
		default:
			due.Store(0)
			s.lost++
			settled++
		}
	}
	return settled
}

func (c *client) tally() tally {
	t := tally{Kinds: make(map[string]int)}
	var all []time.Duration
	for _, s := range c.sockets {
		t.Sent += int(s.next.Load() - c.First)
		t.Lost += s.lost
		t.Strange += s.strange
		for k, n := range s.kind {
			if n > 0 {
				t.Kinds[kind(k).String()] += n
			}
		}
		all = append(all, s.lat...)
	}
	t.take(all)
	return t
}

// take counts the answered, by how long each took.
func (t *tally) take(all []time.Duration) {
	t.Answered = len(all)
	slices.Sort(all)
	t.P50, t.P99, t.Max = quantile(all, 0.5), quantile(all, 0.99), quantile(all, 1)
}

// quantile of a sorted list; zero if it is empty.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(q*float64(len(sorted)-1))]
}

//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// load asks at a rate whether answers come or not, up to a number of queries
// that are under way: so many fit into the buffer of a socket. Where a machine
// cannot keep up, the rate falls.
type load struct {
	name     func(n uint32) string // that is asked for
	want     func(n uint32) net.IP // and its address
	underWay chan struct{}
	stopped  chan struct{}
	all      sync.WaitGroup

	mu  sync.Mutex
	sum result
}

// result is what came of a load.
type result struct {
	asked, good, lost int
	wrong             []string // replies, with their names; a few
}

// load begins a load of UDP queries.
func (l loopback) load(server string, rate int) *load {
	l.Helper()
	return l.loadOf(server, rate,
		func(n uint32) string { return fmt.Sprintf("load%d.example.", n) },
		func(n uint32) net.IP { return net.IPv4(10, byte(n>>16), byte(n>>8), byte(n)) })
}

// loadOf begins a load of UDP queries for these names, which have these addresses.
func (l *lab) loadOf(server string, rate int, name func(n uint32) string, want func(n uint32) net.IP) *load {
	l.Helper()
	const sockets = 4
	q := &load{name: name, want: want, underWay: make(chan struct{}, 100), stopped: make(chan struct{})}
	for i := range sockets {
		conn, err := l.dial(l.Context(), "udp", server)
		if err != nil {
			l.Fatal(err)
		}
		l.Cleanup(func() { conn.Close() })
		s := &loadSocket{load: q, conn: conn, pending: make(map[uint16]uint32)}
		q.all.Go(func() { s.send(uint32(i), sockets, time.Second*sockets/time.Duration(rate)) })
		go s.read()
	}
	return q
}

// stop ends the load and returns what came of it. Replies are waited for.
func (q *load) stop() result {
	close(q.stopped)
	q.all.Wait()
	for end := time.Now().Add(patience / 2); len(q.underWay) > 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sum.lost = len(q.underWay)
	return q.sum
}

func (r result) mustAllBeGood(t *testing.T) {
	t.Helper()
	t.Logf("%d queries, %d good, %d without a reply", r.asked, r.good, r.lost)
	if r.good != r.asked || r.asked == 0 {
		t.Errorf("of %d queries %d have no reply and %d a wrong one: %q", r.asked, r.lost, r.asked-r.good-r.lost, r.wrong)
	}
}

type loadSocket struct {
	*load
	conn    net.Conn
	pending map[uint16]uint32 // number of the query, by id
}

func (s *loadSocket) send(n, step uint32, every time.Duration) {
	tick := time.NewTicker(max(every, 2*time.Millisecond))
	defer tick.Stop()
	due := time.Now()
	for id := uint16(0); ; id++ {
		for due.After(time.Now()) {
			<-tick.C
		}
		select {
		case <-s.stopped:
			return
		case s.underWay <- struct{}{}:
		}
		if late := time.Now().Add(-100 * time.Millisecond); due.Before(late) {
			due = late // what was missed is not made up for all at once
		}
		due = due.Add(every)
		m := new(dns.Msg).SetQuestion(s.name(n), dns.TypeA)
		s.mu.Lock()
		for s.isPending(id) {
			id++
		}
		s.pending[id] = n
		s.sum.asked++
		s.mu.Unlock()
		m.Id = id
		msg, err := m.Pack()
		if err != nil {
			panic(err) // of a valid name
		}
		s.conn.Write(msg) // what is not sent is lost
		n += step
	}
}

// isPending reports whether id is in use. s.mu is held.
func (s *loadSocket) isPending(id uint16) bool { _, ok := s.pending[id]; return ok }

func (s *loadSocket) read() {
	buf := make([]byte, dns.MaxMsgSize)
	for {
		size, err := s.conn.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		m := new(dns.Msg)
		if err != nil || m.Unpack(buf[:size]) != nil {
			continue
		}
		s.mu.Lock()
		n, ok := s.pending[m.Id]
		if ok {
			delete(s.pending, m.Id)
			s.judge(n, m)
		}
		s.mu.Unlock()
		if ok {
			<-s.underWay
		}
	}
}

// judge notes the reply to query n. s.mu is held.
func (s *loadSocket) judge(n uint32, m *dns.Msg) {
	want := s.want(n)
	if len(m.Answer) == 1 {
		if a, ok := m.Answer[0].(*dns.A); ok && a.A.Equal(want) && m.Rcode == dns.RcodeSuccess {
			s.sum.good++
			return
		}
	}
	if len(s.sum.wrong) < 5 {
		s.sum.wrong = append(s.sum.wrong, fmt.Sprintf("%s: %s, %d answers", s.name(n), dns.RcodeToString[m.Rcode], len(m.Answer)))
	}
}

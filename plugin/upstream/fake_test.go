package upstream

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/known"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// packet is a query as a fake resolver sees it.
type packet struct {
	network string // "udp" or "tcp"
	n       int    // how many came before, over the same network
	conn    int    // which connection or socket it came over, counted from 0
	link    uint32 // over which it was sent
	at      time.Duration
	msg     []byte
	send    func(msg []byte) // sends a message back
}

// fake is a resolver without sockets, for tests in virtual time.
type fake struct {
	answer func(p packet)                    // called for each query, in order
	dial   func(network string, n int) error // may refuse the n-th socket
	write  func(network string, conn int) error
	over   func(link uint32) error // may fail what leaves over a link

	once    sync.Once
	mu      sync.Mutex
	start   time.Time
	packets []packet
	queries map[string]int
	dials   map[string]int
	open    int
}

// dialled counts a socket that is opened, which may be refused.
func (f *fake) dialled(network string) (n int, err error) {
	f.mu.Lock()
	n = f.dials[network]
	f.dials[network]++
	f.mu.Unlock()
	if f.dial != nil {
		err = f.dial(network, n)
	}
	return n, err
}

func (f *fake) opens() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open++
}

func (f *fake) Dial(ctx context.Context, to udp.Peer) (net.Conn, error) {
	n, err := f.dialled("tcp")
	if err == nil && f.over != nil {
		err = f.over(to.Link)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	f.opens()
	client, server := net.Pipe()
	go f.serveTCP(server, n, to.Link)
	return &fakeStream{Conn: client, fake: f}, nil
}

// Listen opens a UDP socket.
func (f *fake) Listen(_ bool, received udp.Receiver) (udp.Conn, error) {
	n, err := f.dialled("udp")
	if err != nil {
		return nil, err
	}
	f.opens()
	s := &fakeSocket{fake: f, n: n, in: make(chan udp.Packet, 1024), closed: make(chan struct{})}
	go s.read(received)
	return s, nil
}

func (f *fake) received(network string, conn int, link uint32, msg []byte, send func([]byte)) {
	f.mu.Lock()
	p := packet{network: network, n: f.queries[network], conn: conn, link: link, at: time.Since(f.start), msg: append([]byte(nil), msg...), send: send}
	f.queries[network]++
	f.packets = append(f.packets, p)
	answer := f.answer
	f.mu.Unlock()
	answer(p)
}

func (f *fake) serveTCP(conn net.Conn, n int, link uint32) {
	defer conn.Close()
	var writing sync.Mutex
	for {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		msg := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, msg); err != nil {
			return
		}
		f.received("tcp", n, link, msg, func(reply []byte) {
			writing.Lock()
			defer writing.Unlock()
			if reply == nil { // close
				conn.Close()
				return
			}
			conn.Write(binary.BigEndian.AppendUint16(nil, uint16(len(reply))))
			conn.Write(reply)
		})
	}
}

// script changes what the resolver does, and forgets the packets seen so far.
func (f *fake) script(answer func(p packet)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer, f.packets, f.queries, f.start = answer, nil, make(map[string]int), time.Now()
}

// log returns the packets seen so far.
func (f *fake) log() []packet {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]packet(nil), f.packets...)
}

// sent counts the packets seen so far, probes apart.
func (f *fake) sent() (packets, probes int) {
	for _, p := range f.log() {
		if wire.QuestionType(wire.Question(p.msg)) == dns.TypeNS {
			probes++
		} else {
			packets++
		}
	}
	return packets, probes
}

func (f *fake) opened(network string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dials[network]
}

func (f *fake) stillOpen() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open
}

func (f *fake) closed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open--
}

type fakeStream struct {
	net.Conn
	fake *fake
	once sync.Once
}

func (s *fakeStream) Close() error {
	s.once.Do(s.fake.closed)
	return s.Conn.Close()
}

// fakeSocket is the client's end of a UDP socket.
type fakeSocket struct {
	fake   *fake
	n      int
	in     chan udp.Packet
	once   sync.Once
	closed chan struct{}
}

func (s *fakeSocket) Send(packets []udp.Packet) {
	for i := range packets {
		p := &packets[i]
		if s.fake.write != nil {
			if p.Err = s.fake.write("udp", s.n); p.Err != nil {
				continue
			}
		}
		if s.fake.over != nil {
			if p.Err = s.fake.over(p.Peer.Link); p.Err != nil {
				continue
			}
		}
		from := p.Peer
		s.fake.received("udp", s.n, p.Peer.Link, p.Msg, func(msg []byte) { s.in <- udp.Packet{Peer: from, Msg: msg} })
	}
}

func (s *fakeSocket) read(received udp.Receiver) {
	for {
		select {
		case p := <-s.in:
			received([]udp.Packet{p})
		case <-s.closed:
			return
		}
	}
}

func (s *fakeSocket) Drops() uint64 { return 0 }

func (s *fakeSocket) Close() {
	s.once.Do(func() { close(s.closed); s.fake.closed() })
}

// replyTo builds a reply to the query in msg, changed by edit.
func replyTo(msg []byte, edit func(m *dns.Msg)) []byte {
	q, m := new(dns.Msg), new(dns.Msg)
	if err := q.Unpack(msg); err != nil {
		panic(err)
	}
	m.SetReply(q)
	if edit != nil {
		edit(m)
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

// good adds an answer.
func good(m *dns.Msg) {
	m.Answer = append(m.Answer, &dns.A{
		Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60},
		A:   net.IPv4(192, 0, 2, 1),
	})
}

// answerAfter answers every packet that passes keep with a good reply, d later.
func answerAfter(d time.Duration, keep func(packet) bool) func(packet) {
	return func(p packet) {
		if keep == nil || keep(p) {
			time.AfterFunc(d, func() { p.send(replyTo(p.msg, good)) })
		}
	}
}

const (
	testTimeout  = 4 * time.Second
	testPatience = 2 * time.Second
)

func newFake(answer func(packet)) *fake {
	return &fake{answer: answer, start: time.Now(), queries: make(map[string]int), dials: make(map[string]int)}
}

// upstream returns an upstream that speaks with the fake.
func (f *fake) upstream(t *testing.T, change ...func(*Config)) *Upstream {
	cfg := Config{Addr: netip.MustParseAddrPort("192.0.2.53:53"), Timeout: testTimeout, Patience: testPatience, Dial: f.Dial, Ports: ports.Over(f.Listen)}
	for _, c := range change {
		c(&cfg)
	}
	u := New(cfg)
	f.once.Do(func() {
		t.Cleanup(func() { // when all are closed
			time.Sleep(testTimeout + 2*tidyEvery)
			if n := f.stillOpen(); n > 0 {
				t.Errorf("%d sockets are open after Close", n)
			}
		})
	})
	t.Cleanup(u.Close)
	return u
}

func query(name string) *Query {
	m := new(dns.Msg)
	m.SetQuestion(name, dns.TypeA)
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return &Query{Msg: b}
}

// asks reports whether msg asks for name.
func asks(msg []byte, name string) bool {
	return wire.SameQuestion(wire.Question(msg), wire.Question(query(name).Msg))
}

// outcome is a Receiver that notes what it is told, and when.
type outcome struct {
	start time.Time
	over  bool

	mu               sync.Mutex
	reply            []byte
	err              error
	toldDown         bool
	doubtful         bool
	down             time.Duration // after it was told so
	after            time.Duration // of the reply or the failure
	calls            int           // of Reply and Fail
	done             chan struct{}
	back             chan struct{} // Again was called
	toldUnresponsive bool
	forName          bool   // it is so for the name, not the type
	turn             uint64 // of the last word on the upstream
	lastDown         bool   // that word
}

func newOutcome() *outcome {
	return &outcome{start: time.Now(), done: make(chan struct{}), back: make(chan struct{}, 1)}
}

func (o *outcome) end(reply []byte, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls++
	if o.calls == 1 {
		o.reply, o.err, o.after = reply, err, time.Since(o.start)
		close(o.done)
	}
}

func (o *outcome) Reply(msg []byte, _ instant.Time, _ bool) { o.end(msg, nil) }
func (o *outcome) Fail(err error)                           { o.end(nil, err) }
func (o *outcome) Waiting() bool                            { o.mu.Lock(); defer o.mu.Unlock(); return !o.over && o.calls == 0 }
func (o *outcome) Health(down bool, turn uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if turn <= o.turn {
		return
	}
	o.turn, o.lastDown = turn, down
	if down && !o.toldDown {
		o.toldDown, o.down = true, time.Since(o.start)
	}
}

// isDown reports the last word on the upstream.
func (o *outcome) isDown() bool { o.mu.Lock(); defer o.mu.Unlock(); return o.lastDown }

func (o *outcome) Doubtful() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.doubtful = true
}

func (o *outcome) Unresponsive(forName bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.toldUnresponsive, o.forName = true, forName
}

func (o *outcome) Again() {
	select {
	case o.back <- struct{}{}:
	default:
	}
}

func (o *outcome) waitNoMore() { o.mu.Lock(); defer o.mu.Unlock(); o.over = true }

func (o *outcome) good() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reply != nil && wire.Header(o.reply).Answers() > 0
}

// failure is why it failed, and after how long; nil: it did not.
func (o *outcome) failure() (after time.Duration, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.after, o.err
}

// drive waits for x as a race does: it calls Retry at next, whenever Retry wants
// to be called and when the upstream is up again, until the exchange ended or the time is up.
func drive(x *Exchange, next instant.Time, o *outcome) {
	defer o.waitNoMore()
	start := instant.Of(o.start)
	end := start.Add(testTimeout)
	last := start // that x was called
	retry := func() {
		last = instant.Now()
		next = x.Retry(last)
	}
	for {
		wake := end
		if !next.IsZero() && next.Before(end) {
			wake = next
		}
		if wake.Before(last) {
			panic("Retry wants to be called in the past: that is a busy loop")
		}
		select {
		case <-o.done:
			return
		case <-o.back:
			retry()
		case <-time.After(instant.Until(wake)):
			if !instant.Now().Before(end) {
				return
			}
			retry()
		}
	}
}

// ask asks u and waits for what comes of it.
func ask(u *Upstream, q *Query) *outcome {
	o := newOutcome()
	x, next := u.Ask(q, o)
	drive(x, next, o)
	return o
}

func (u *Upstream) estimate() known.RTT {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.known.RTT
}

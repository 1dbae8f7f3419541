package ports

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// owner is one that waits for an id, and waited for others.
type owner struct {
	waits    uint16
	other    bool // it asked another question
	before   []uint16
	received []uint16
	notSent  []uint16
}

func (o *owner) Waits(id uint16) (now, before bool) {
	return id == o.waits, slices.Contains(o.before, id)
}
func (o *owner) Received(msg []byte, _ instant.Time) bool {
	if !o.other {
		o.received = append(o.received, binary.BigEndian.Uint16(msg))
	}
	return !o.other
}
func (o *owner) Failed(error, []byte, instant.Time) {}
func (o *owner) NotSent(id uint16, _ error)         { o.notSent = append(o.notSent, id) }

// nowhere is a socket that takes no packets to a peer.
type nowhere struct {
	bad  udp.Peer
	sent [][]udp.Packet
}

func (c *nowhere) Send(packets []udp.Packet) {
	for i := range packets {
		if packets[i].Peer == c.bad {
			packets[i].Err = errTest
		}
	}
	c.sent = append(c.sent, slices.Clone(packets))
}
func (c *nowhere) Drops() uint64 { return 0 }
func (c *nowhere) Close()        {}

var errTest = ErrDescriptors

var (
	here  = udp.Peer{Addr: netip.MustParseAddrPort("192.0.2.1:53")}
	there = udp.Peer{Addr: netip.MustParseAddrPort("192.0.2.2:53")}
)

// A reply goes to whoever waits for its id, whoever used that id before or since, and
// whichever of two upstreams at one address was there first.
func TestWhoWaits(t *testing.T) {
	const id = 7
	for _, tc := range []struct {
		what   string
		owners []*owner
		who    int
	}{
		{"only one", []*owner{{}}, 0},
		{"the first waits", []*owner{{waits: id}, {before: []uint16{id}}}, 0},
		{"the second waits", []*owner{{before: []uint16{id}}, {waits: id}}, 1},
		{"both had it, one waits", []*owner{{before: []uint16{id}}, {waits: id, before: []uint16{id}}}, 1},
		{"both wait, the first asked this", []*owner{{waits: id}, {waits: id, other: true}}, 0},
		{"both wait, the second asked this", []*owner{{waits: id, other: true}, {waits: id}}, 1},
		{"both wait and asked this", []*owner{{waits: id}, {waits: id}}, 0},
		{"the one that waits asked another", []*owner{{waits: id, other: true}, {before: []uint16{id}}}, -1},
		{"nobody waits, the second did", []*owner{{}, {before: []uint16{id}}}, 1},
		{"nobody ever waited", []*owner{{}, {}}, 0},
	} {
		var received udp.Receiver
		ps := Over(func(_ bool, r udp.Receiver) (udp.Conn, error) { received = r; return &nowhere{}, nil })
		for _, o := range tc.owners {
			if _, err := ps.Join(o, here, 0, instant.Now()); err != nil {
				t.Fatal(err)
			}
		}
		msg := binary.BigEndian.AppendUint16(nil, id)
		received([]udp.Packet{{Peer: here, Msg: append(msg, make([]byte, 10)...)}, {Peer: there, Msg: append(msg, make([]byte, 10)...)}})
		for i, o := range tc.owners {
			want := 0
			if i == tc.who {
				want = 1
			}
			if len(o.received) != want {
				t.Errorf("%s: owner %d received %d messages, want %d", tc.what, i, len(o.received), want)
			}
		}
	}
}

// Packets from one port leave in one call, each with its own id, and what was not sent is
// reported to its owner by that id.
func TestBatch(t *testing.T) {
	conn := &nowhere{bad: there}
	ps := Over(func(bool, udp.Receiver) (udp.Conn, error) { return conn, nil })
	a, b := &owner{}, &owner{}
	near, _ := ps.Join(a, here, 1, instant.Now())
	far, _ := ps.Join(b, there, 1, instant.Now())
	msg := make([]byte, 12)
	for range 2 { // the second time with what is left of the first
		conn.sent, b.notSent = nil, nil
		var batch Batch
		batch.Add(near, 1, msg)
		batch.Add(far, 2, msg)
		batch.Add(near, 3, msg)
		batch.Send()
		if len(conn.sent) != 1 || len(conn.sent[0]) != 3 {
			t.Fatalf("left in %d calls", len(conn.sent))
		}
		for i, p := range conn.sent[0] {
			if id := binary.BigEndian.Uint16(p.Msg); int(id) != i+1 {
				t.Errorf("packet %d has id %d", i, id)
			}
		}
		if len(a.notSent) > 0 || !slices.Equal(b.notSent, []uint16{2}) {
			t.Errorf("not sent: %v and %v", a.notSent, b.notSent)
		}
	}
}

// A table finds what was added, under ids that differ, grows, and is full at a quarter of
// all ids.
func TestTable(t *testing.T) {
	var table Table[int]
	var random Random
	ids := make(map[uint16]*int)
	for !table.Full() {
		x := new(int)
		id := table.Add(x, &random)
		if ids[id] != nil {
			t.Fatalf("id %d is drawn twice", id)
		}
		ids[id] = x
	}
	if table.Len() != len(ids) || len(ids) != 1<<14 {
		t.Errorf("%d of %d", table.Len(), len(ids))
	}
	n := 0
	for id, x := range table.All() {
		if ids[id] != x || table.Get(id) != x || table.Remove(id) != x || table.Get(id) != nil {
			t.Fatalf("id %d", id)
		}
		n++
	}
	if n != len(ids) || table.Len() != 0 || table.Remove(1) != nil {
		t.Errorf("%d yielded, %d left", n, table.Len())
	}
}

// A set of ids holds what was added, few or many.
func TestIDs(t *testing.T) {
	var s IDs
	added := make(map[uint16]bool)
	for n := range 1000 {
		id := uint16(n * 7919)
		s.Add(id)
		added[id] = true
		if n == 10 || n == fewIDs-1 || n == fewIDs || n == 999 {
			for id := range 1 << 16 {
				if s.Has(uint16(id)) != added[uint16(id)] {
					t.Fatalf("after %d: id %d is there: %v", n+1, id, s.Has(uint16(id)))
				}
			}
		}
	}
}

// A pool that makes few races draws from many ports, one that makes many from few, and so
// does one while descriptors run low.
func TestDraw(t *testing.T) {
	var random Random
	draw := func(ps *Ports, now instant.Time, n int) int {
		seen := make(map[int]bool)
		for range n {
			seen[ps.Draw(&random, now)] = true
		}
		return len(seen)
	}
	now := instant.Now()
	ps := Over(nil)
	for range 10 {
		draw(ps, now, BusyRate)
		now = now.Add(time.Second)
	}
	if n := draw(ps, now, BusyRate); n != InUse {
		t.Errorf("a quiet pool draws from %d ports", n)
	}
	draw(ps, now, 1) // now it is busy
	for range 5 {
		if n := draw(ps, now, 1000); n != BusyInUse {
			t.Errorf("a busy pool draws from %d ports", n)
		}
		now = now.Add(time.Second)
	}
	draw(ps, now, 1) // in the second after
	now = now.Add(time.Second)
	if n := draw(ps, now, BusyRate); n != InUse {
		t.Errorf("a pool that is quiet again draws from %d ports", n)
	}
	low := NewBudget(1, 1).Ports()
	low.short = func() bool { return true }
	if n := draw(low, now, 100); n != BusyInUse {
		t.Errorf("while descriptors run low it draws from %d ports", n)
	}
}

package history

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
)

// wire is a name in wire format.
func wire(name string) []byte {
	buf := make([]byte, 255)
	n, err := dns.PackDomainName(name, buf, 0, nil, false)
	if err != nil {
		panic(err)
	}
	return buf[:n]
}

func denied(id int, name string) Race {
	return Race{ID: uint64(id), At: time.Unix(int64(id), 0), Name: wire(name), Type: dns.TypeA, Verdict: race.NXDomainSOA, TTL: -1}
}

func all(*Remembered) bool { return true }

// What is alike is one line, which shows the last race; the newest line is first, whatever the
// clock says.
func TestAlikeIsCounted(t *testing.T) {
	table := New(1000, false)
	table.Add(denied(1, "a.example."))
	table.Add(denied(2, "b.example."))
	again := denied(3, "a.example.")
	again.At = time.Unix(-3600, 0) // the clock was set back
	table.Add(again)
	other := denied(4, "a.example.")
	other.Type = dns.TypeAAAA
	table.Add(other)
	got := ""
	for _, m := range table.Races(all) {
		got += fmt.Sprintf("%d %s %dx; ", m.ID, m.name(), m.Count)
	}
	if want := "4 a.example. 1x; 3 a.example. 2x; 2 b.example. 1x; "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// However many names of one zone are denied, what is remembered of others stays, and so does the
// memory.
func TestFloodOfOneZone(t *testing.T) {
	table := New(1000, false)
	for i := range 8 { // in many shards
		table.Add(denied(i+1, fmt.Sprintf("kept.zone%d.example.", i)))
	}
	flood := 200_000
	grown := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for i := range 1000 {
		table.Add(denied(100+i, fmt.Sprintf("n%d.flood.example.", i)))
	}
	before := grown()
	for i := range flood {
		table.Add(denied(2000+i, fmt.Sprintf("m%d.flood.example.", i)))
	}
	if after := grown(); after > before+64<<10 {
		t.Errorf("%d names more take %d bytes", flood, after-before)
	}
	kept, flooded := 0, 0
	for _, m := range table.Races(all) {
		if strings.HasPrefix(m.name(), "kept.") {
			kept++
		} else {
			flooded++
		}
	}
	if kept != 8 || flooded > table.per/2 {
		t.Errorf("%d of 8 are kept beside %d of the flood, which may have %d", kept, flooded, table.per/2)
	}
}

// The table holds as much as it is to, and no more.
func TestSize(t *testing.T) {
	for _, n := range []int{0, 1, 64, 1000} {
		table := New(n, false)
		for i := range 4 * 1024 {
			table.Add(denied(i, fmt.Sprintf("a.z%d.example.", i)))
		}
		want := (n + shards - 1) / shards * shards
		if got := table.Len(); got > want || got < want*9/10 {
			t.Errorf("%d names are remembered, want %d", got, want)
		}
	}
}

// R25: with zones nothing of the first label is kept, neither in names nor in what replies say.
func TestR25ZonesOnly(t *testing.T) {
	table := New(100, true)
	r := denied(1, "secret.corp.example.")
	name := r.Name
	r.Legs = []Leg{{Upstream: "192.0.2.1"}, {Upstream: "192.0.2.2"}}
	r.Legs[0].Says([]byte("secret.corp.example is blocked"))
	r.Legs[1].Because(fmt.Errorf("%w: secret is not here", race.ErrServFail))
	table.Add(r)
	if strings.Contains(string(name), "secret") {
		t.Error("the name was not overwritten")
	}
	lines := table.Races(all)
	if len(lines) != 1 || lines[0].name() != "*.corp.example." {
		t.Fatalf("%+v", lines)
	}
	if text := fmt.Sprintf("%+v", lines[0].Line("here", Present{})); strings.Contains(text, "secret") {
		t.Error(text)
	}
}

// R25: what is forgotten is overwritten, and counted; what is not there is not.
func TestR25Forget(t *testing.T) {
	table := New(100, false)
	r := denied(1, "secret.corp.example.")
	r.Legs = []Leg{{}}
	r.Legs[0].Says([]byte("secret"))
	name, text := r.Name, r.Legs[0].text
	table.Add(r)
	table.Add(denied(2, "other.example."))
	is := func(other []byte) bool { return string(other) == string(wire("secret.corp.example.")) }
	if n := table.Forget(is); n != 1 {
		t.Errorf("%d are forgotten", n)
	}
	if strings.Trim(string(name), "\x00") != "" || strings.Trim(string(text), "\x00") != "" {
		t.Errorf("%q and %q are there still", name, text)
	}
	if n := table.Forget(is); n != 0 || table.Len() != 1 {
		t.Errorf("%d are forgotten again, and %d left", n, table.Len())
	}
}

// A good answer that comes late is noted with its race, and with no other.
func TestLate(t *testing.T) {
	table := New(100, false)
	r := denied(7, "a.example.")
	r.Legs = []Leg{{Upstream: "192.0.2.1"}, {Upstream: "192.0.2.2"}}
	table.Add(r)
	if table.Late(8, wire("a.example."), "192.0.2.1", time.Second) {
		t.Error("another race is remembered")
	}
	if !table.Late(7, wire("a.example."), "192.0.2.2", 2204*time.Millisecond) {
		t.Error("the race is not remembered")
	}
	if late := table.Races(all)[0].Line("", Present{}).Late; len(late) != 1 || late[0].Upstream != "192.0.2.2" || late[0].Seconds != 2.204 {
		t.Errorf("%+v", late)
	}
}

// Many add, forget and read at a time.
func TestManyAtATime(t *testing.T) {
	table := New(128, false)
	var goroutines sync.WaitGroup
	for g := range 4 {
		goroutines.Go(func() {
			for i := range 500 {
				r := denied(g*1000+i, fmt.Sprintf("a%d.z%d.example.", i%7, i%11))
				r.Legs = []Leg{{Upstream: "192.0.2.1"}}
				table.Add(r)
				table.Late(r.ID, wire("a1.z1.example."), "192.0.2.1", time.Second)
				if i%50 == 0 {
					table.Forget(func(name []byte) bool { return name[1] == 'a' && name[2] == '3' })
					table.Races(all)
				}
			}
		})
	}
	goroutines.Wait()
}

// BenchmarkAdd is what a denial costs that is remembered.
func BenchmarkAdd(b *testing.B) {
	table := New(1000, false)
	names := make([][]byte, 512)
	for i := range names {
		names[i] = wire(fmt.Sprintf("a%d.z%d.example.", i, i%40))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		table.Add(Race{ID: uint64(i), Name: append([]byte(nil), names[i%len(names)]...), Type: dns.TypeA, Verdict: race.NXDomainSOA, Legs: make([]Leg, 3)})
	}
}

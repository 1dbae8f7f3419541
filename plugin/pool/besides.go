package pool

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// besides are the calls that hold NODATA which an answer for another type of their name would
// make enough, by name. The zero value has none.
type besides struct {
	n      atomic.Int32
	mu     sync.Mutex
	byName map[string][]*call
}

// join adds a call, unless it is there.
func (b *besides) join(name string, c *call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.besideAs != "" {
		return
	}
	if b.byName == nil {
		b.byName = make(map[string][]*call)
	}
	c.besideAs = name
	b.byName[name] = append(b.byName[name], c)
	b.n.Add(1)
}

// leave removes a call whose race is over. Nothing but that race has it join.
func (b *besides) leave(c *call) {
	if c.besideAs == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	rest := slices.DeleteFunc(b.byName[c.besideAs], func(other *call) bool { return other == c })
	if b.byName[c.besideAs] = rest; len(rest) == 0 {
		delete(b.byName, c.besideAs)
	}
	c.besideAs = ""
	b.n.Add(-1)
}

// answered tells those calls that the name of a question has an answer.
func (b *besides) answered(question []byte) {
	if b.n.Load() == 0 {
		return
	}
	var buf [255]byte
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.byName[string(wire.AppendName(buf[:0], question))] {
		c.race.race.Learned()
	}
}

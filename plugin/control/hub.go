package control

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// Bounds of what waits for one reader of events.
const (
	maxEvents = 4096
	maxBytes  = 1 << 20
)

// event is something that happens: as package api has it, or a race that becomes that in the goroutine that reads.
type event struct {
	is   any
	race *Race
	size int
}

// Race is a race for those who read events.
type Race struct {
	Facts Facts
	Make  func() *api.RaceEvent // takes long
	Size  int                   // of what Make needs, in bytes
}

// Hub has the readers of a server block's events. The zero value has none.
type Hub struct {
	awake   atomic.Int32 // readers
	mu      sync.Mutex
	readers []*reader
}

// Awake reports whether anybody reads.
func (h *Hub) Awake() bool { return h.awake.Load() > 0 }

// Readers is how many read.
func (h *Hub) Readers() int { return int(h.awake.Load()) }

// smallEvent is the size of all events but races, in bytes, or more.
const smallEvent = 512

// Publish has all readers read an event, which is one of the types of package api.
func (h *Hub) Publish(is any) { h.publish(event{is: is, size: smallEvent}) }

// PublishRace has all readers read a race.
func (h *Hub) PublishRace(r *Race) { h.publish(event{race: r, size: r.Size}) }

func (h *Hub) publish(e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.readers {
		r.put(e)
	}
}

func (h *Hub) add(r *reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readers = append(h.readers, r)
	h.awake.Add(1)
}

func (h *Hub) remove(r *reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := len(h.readers)
	h.readers = slices.DeleteFunc(h.readers, func(o *reader) bool { return o == r })
	h.awake.Add(int32(len(h.readers) - before))
}

// reader is the events that wait for one who reads them. If there are too many, the oldest go.
type reader struct {
	news chan struct{} // there are some

	mu    sync.Mutex
	wait  []event
	bytes int
	lost  int
}

func newReader() *reader { return &reader{news: make(chan struct{}, 1)} }

func (r *reader) put(e event) {
	r.mu.Lock()
	for len(r.wait) > 0 && (len(r.wait) >= maxEvents || r.bytes+e.size > maxBytes) {
		r.bytes -= r.wait[0].size
		r.wait[0] = event{}
		r.wait = r.wait[1:]
		r.lost++
	}
	r.wait = append(r.wait, e)
	r.bytes += e.size
	r.mu.Unlock()
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// take returns the events that wait, and how many were lost before them.
func (r *reader) take() (all []event, lost int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all, lost = r.wait, r.lost
	r.wait, r.bytes, r.lost = nil, 0, 0
	return all, lost
}

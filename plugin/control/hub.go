package control

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// Bounds of what waits for one reader of events.
const (
	maxEvents = 4096
	maxBytes  = 1 << 20
)

// maxRate is how many races a second one reader is shown, of those that its filter wants. Of more,
// one of so many is: to put one in words takes a tenth of a query's processor time, and nobody reads
// so many.
const maxRate = 500

// event is something that happens: as package api has it, or a race that becomes that in the
// goroutine that reads.
type event struct {
	is   any
	race func() *api.RaceEvent
	size int
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

// PublishRace has those read a race whose filter wants it, if there are not too many. For one of
// them at least, make is called: it returns what makes the event, and how many bytes that needs.
// It reports whether there is one.
func (h *Hub) PublishRace(f *Facts, now time.Time, make func() (event func() *api.RaceEvent, size int)) (shown bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := event{}
	for _, r := range h.readers {
		if !r.wanted(f) {
			continue
		}
		show, changed := r.sample(now)
		if changed {
			r.put(event{is: api.SampledEvent{Event: api.Event{Event: api.EventSampled, At: now.UTC()}, OneOf: r.oneOf}, size: smallEvent})
		}
		if !show {
			continue
		}
		if e.race == nil {
			e.race, e.size = make()
		}
		r.put(e)
		shown = true
	}
	return shown
}

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
	news   chan struct{} // there are some
	wanted filter        // races

	// Guarded by the hub's lock.
	second int64 // in which races are counted
	races  int   // in it
	oneOf  int   // so many are one that is shown; 1: all are

	mu    sync.Mutex
	wait  []event
	bytes int
	lost  int
}

func newReader(wanted filter) *reader {
	return &reader{news: make(chan struct{}, 1), wanted: wanted, oneOf: 1}
}

// sample counts a race, and reports whether it is shown, and whether that of how many is has
// changed.
func (r *reader) sample(now time.Time) (show, changed bool) {
	if second := now.Unix(); second != r.second {
		oneOf := max(1, (r.races+maxRate-1)/maxRate)
		if second != r.second+1 {
			oneOf = 1
		}
		changed = oneOf != r.oneOf
		r.second, r.races, r.oneOf = second, 0, oneOf
	}
	r.races++
	if r.oneOf == 1 && r.races > maxRate { // the first second of many
		r.oneOf = 2 * maxRate
		return false, true
	}
	return r.races%r.oneOf == 0, changed
}

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

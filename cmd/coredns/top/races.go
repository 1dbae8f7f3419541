package top

import (
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// row is a race, or a sentence among them.
type row struct {
	at   time.Time
	note string // a sentence; else:

	run    int // of the server's process, of which each numbers its races anew
	race   *api.RaceEvent
	times  int  // of a race that is remembered: so many ended like it; 0: one
	wrong  bool // a good answer came after the denial
	wanted bool // by the filter and the key
	inList bool // by the filter
	size   int  // bytes, about

	with   *row     // it is part of this one, of which the name is another; nil: it is shown
	folded int      // races that are part of it
	names  []string // theirs, the first few
}

// visible reports whether it has a line.
func (r *row) visible() bool { return r.wanted && (r.with == nil || !r.with.inList) }

// Bounds of a ring.
const (
	maxRows  = 3000
	maxBytes = 16 << 20
	rowBytes = 1 << 10 // that a row takes beside the texts of its records
)

// ring is the last races, the oldest first. The zero value is empty.
type ring struct {
	all   []*row
	bytes int
	run   int
}

// add adds a row where its number says, which is at the end but for a few. It reports false if the
// race is there already. Sentences stand where they came.
func (r *ring) add(n *row) bool {
	at := len(r.all)
	for n.race != nil && at > 0 {
		o := r.all[at-1]
		if o.race != nil {
			if o.run == n.run && o.race.ID == n.race.ID {
				return false
			}
			if !later(o, n) {
				break
			}
		}
		at--
	}
	if at < len(r.all) && n.race != nil { // sentences before those that are later are passed over, too
		for at < len(r.all) && r.all[at].race == nil {
			at++
		}
	}
	r.all = slices.Insert(r.all, at, n)
	r.bytes += n.size
	drop := 0
	for len(r.all)-drop > maxRows || r.bytes > maxBytes {
		r.bytes -= r.all[drop].size
		drop++
	}
	r.all = slices.Delete(r.all, 0, drop)
	return true
}

// later reports whether a race was over after another one. Clocks are set; numbers only grow.
func later(a, b *row) bool {
	if a.run != b.run {
		return a.run > b.run
	}
	x, y := a.race.ID, b.race.ID
	return len(x) > len(y) || len(x) == len(y) && x > y
}

// find returns a race of the process that runs; nil: it is not there.
func (r *ring) find(id string) *row {
	for i := len(r.all) - 1; i >= 0; i-- {
		if o := r.all[i]; o.race != nil && o.run == r.run && o.race.ID == id {
			return o
		}
	}
	return nil
}

func (r *ring) clear() { r.all, r.bytes = nil, 0 }

// takeRace takes a race that has just been over.
func (m *model) takeRace(e *api.RaceEvent) { m.addRace(e, 1) }

// takeRemembered takes a race of before.
func (m *model) takeRemembered(r *api.Remembered) {
	n := m.addRace(&api.RaceEvent{Event: api.EventRace, Clients: 1, Race: r.Race}, r.Count)
	if n != nil {
		n.wrong = len(r.Late) > 0
	}
}

func (m *model) addRace(e *api.RaceEvent, times int) *row {
	if b := m.block(); b != nil && e.Server != "" && e.Server != b.Server {
		return nil // it was under way when another block was chosen
	}
	n := &row{at: e.Race.At, run: m.races.run, race: e, times: times, size: rowBytes + sizeOf(e)}
	m.weigh(n)
	if !m.races.add(n) {
		return nil
	}
	m.fold(n)
	return n
}

// sizeOf is about how many bytes the records of a race take.
func sizeOf(e *api.RaceEvent) (n int) {
	count := func(texts []string) {
		for _, text := range texts {
			n += len(text) + 16
		}
	}
	count(e.Answer)
	count(e.Authority)
	for i := range e.Upstreams {
		l := &e.Upstreams[i]
		n += 256 + len(l.Why)
		count(l.Answer)
		count(l.Authority)
		count(l.ExtendedErrors)
		if l.Data != nil {
			n += len(*l.Data)
		}
	}
	return n
}

// takeLate changes the cell of a reply that came when its race was over.
func (m *model) takeLate(e *api.LateEvent) {
	r := m.races.find(e.ID)
	if r == nil {
		return
	}
	for i := range r.race.Upstreams {
		if l := &r.race.Upstreams[i]; l.Upstream == e.Upstream {
			l.Seconds, l.Verdict, l.Late = &e.Seconds, e.Verdict, true
			if l.Rcode == nil { // which one it was is not told
				l.Why = "a late reply: " + e.Verdict
			}
		}
	}
	if e.WouldHaveWon {
		r.wrong = true
		m.unfold(r)
	}
}

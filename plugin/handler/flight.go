package handler

import (
	"slices"
	"sync"
)

// flights are the races under way, by what is asked. Package singleflight would
// do, but its frames would lie below those of every race: goroutines that serve
// a query begin with a small stack, and growing it costs more than a race's own
// work.
type flights struct {
	mu       sync.Mutex
	underway map[string]*flight
}

// flight is a race that more than one client may wait for.
type flight struct {
	landed sync.WaitGroup
	outcome
}

// board returns the flight with that key and set of upstreams, and whether it is a
// new one. Whoever is first must land it; everybody else waits for that. A race
// of a set that was replaced goes on for those who wait, and takes in no others.
func (fs *flights) board(key string, set []*contender) (f *flight, first bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f, ok := fs.underway[key]; ok && slices.Equal(f.set, set) {
		return f, false
	}
	f = new(flight)
	f.set = set
	f.Leg = -1 // should the race end in a panic
	f.landed.Add(1)
	if fs.underway == nil {
		fs.underway = make(map[string]*flight)
	}
	fs.underway[key] = f
	return f, true
}

// land says that the outcome is known.
func (fs *flights) land(key string, f *flight) {
	fs.mu.Lock()
	if fs.underway[key] == f {
		delete(fs.underway, key)
	}
	fs.mu.Unlock()
	f.landed.Done()
}

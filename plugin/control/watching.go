package control

import "sync"

// Hooks are told what happens at a socket. All of them must be set.
type Hooks struct {
	Logf     func(format string, args ...any)
	Watchers func(change int) // so many more readers of events; negative: fewer
}

// watching counts the readers of events by user.
type watching struct {
	hooks Hooks
	path  string

	mu sync.Mutex
	by map[int]int
}

// begins notes that a user reads events, and ends that one does no longer. The log has the first
// and the last of each user.
func (w *watching) begins(uid int) (ends func()) {
	w.hooks.Watchers(1)
	if w.add(uid, 1) == 1 {
		w.hooks.Logf("User %d begins to watch queries over %s", uid, w.path)
	}
	return func() {
		w.hooks.Watchers(-1)
		if w.add(uid, -1) == 0 {
			w.hooks.Logf("User %d no longer watches queries over %s", uid, w.path)
		}
	}
}

func (w *watching) add(uid, n int) (now int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == nil {
		w.by = make(map[int]int)
	}
	w.by[uid] += n
	now = w.by[uid]
	if now == 0 {
		delete(w.by, uid)
	}
	return now
}

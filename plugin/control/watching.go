package control

import "sync"

// watching counts the readers of events by user.
type watching struct {
	mu sync.Mutex
	by map[int]int
}

// begins notes that a user reads events, and ends that one does no longer. The log has the first
// and the last of each user.
func (s *Socket) begins(uid int) (ends func()) {
	s.hooks.Watchers(1)
	if s.watching.add(uid, 1) == 1 {
		s.hooks.Logf("User %d begins to watch queries over %s", uid, s.Path)
	}
	return func() {
		s.hooks.Watchers(-1)
		if s.watching.add(uid, -1) == 0 {
			s.hooks.Logf("User %d no longer watches queries over %s", uid, s.Path)
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

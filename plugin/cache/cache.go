// Package cache keeps replies for as long as they may be believed. It knows who gave each, among
// whom, and when, so a change of the network ends what was kept before; and an answer whose
// giver is away may be given after its end (RFC 8767). It knows no sockets, and upstreams as
// values of the caller's choice.
package cache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	store "github.com/coredns/coredns/plugin/pkg/cache"
)

// Config says what a cache asks of its owner. U is an upstream.
type Config[U any] struct {
	Entries int
	// Same reports whether two are one upstream.
	Same func(a, b U) bool
	// MayKnow reports whether an upstream may know the names in the zone of a question, which
	// is as in [wire.Question].
	MayKnow func(u U, question []byte) bool
	// Ended is called when a reply that a change has ended is first asked for again, Evicted
	// when one makes room for another; nil: nothing is.
	Ended, Evicted func()
}

// Cache keeps replies. Its methods may be called from any goroutine.
type Cache[U any] struct {
	cfg     Config[U]
	entries *store.Cache[*Entry[U]]
	changes atomic.Pointer[changes[U]]
	mu      sync.Mutex // held while changes is replaced
}

// New returns an empty cache.
func New[U any](cfg Config[U]) *Cache[U] {
	c := &Cache[U]{cfg: cfg, entries: store.New[*Entry[U]](cfg.Entries)}
	c.changes.Store(new(changes[U]))
	return c
}

// Len is the number of replies that are kept, whether or not they are of any use still.
func (c *Cache[U]) Len() int { return c.entries.Len() }

// State is what may be done with a reply that is kept.
type State uint8

const (
	None  State = iota // there is none
	Alive              // it is the reply
	Held               // its life is over, but it is the reply: its giver was away just now
	Ended              // its life is over: it is the reply if the giver is found to be away
)

// Get returns what is kept for a question, which is as in [wire.Question], how old it is, and
// what may be done with it.
func (c *Cache[U]) Get(question []byte, f Flags, now time.Time) (e *Entry[U], age time.Duration, s State) {
	var buf [maxKey]byte
	e = c.find(appendKey(buf[:0], question, f))
	if e == nil {
		return nil, 0, None
	}
	age = Since(e.kept, now)
	changes := c.changes.Load()
	if age < e.life && e.epoch.Load() == changes.next {
		return e, age, Alive
	}
	if s = c.afterLife(e, question, changes, age, now); s == None {
		return nil, 0, None
	}
	return e, age, s
}

// afterLife is what may be done with a reply whose time is over, or which is from before a
// change.
func (c *Cache[U]) afterLife(e *Entry[U], question []byte, all *changes[U], age time.Duration, now time.Time) State {
	end := e.life
	switch at, ends := c.endedBy(e, question, all); {
	case ends:
		end = min(end, Since(e.kept, at))
		if age < e.life && !e.counted.Swap(true) && c.cfg.Ended != nil {
			c.cfg.Ended()
		}
	case age < e.life:
		e.epoch.Store(all.next)
		return Alive
	}
	switch {
	case e.Kind != Answer || age-end >= staleFor:
		return None
	case e.heldAt(now, all.next):
		return Held
	}
	return Ended
}

// find returns the entry with that key, or nil.
func (c *Cache[U]) find(key []byte) *Entry[U] {
	if e, ok := c.entries.Get(hash(key)); ok && e.key == string(key) {
		return e
	}
	return nil
}

// Put keeps a reply to a question, if it may be kept, in the place of what was kept before. A
// good answer that may not be kept takes its place, too. It returns for how long the
// reply is kept; 0: it is not.
func (c *Cache[U]) Put(question []byte, f Flags, r Reply[U], now time.Time) (life time.Duration) {
	e := newEntry(question, r, now)
	if e != nil && e.Kind != Answer && r.Epoch != c.Epoch() { // an opinion of upstreams as they were
		return 0
	}
	var buf [maxKey]byte
	key := appendKey(buf[:0], question, f)
	at := hash(key)
	old, there := c.entries.Get(at)
	there = there && old.key == string(key)
	switch {
	case there && old.epoch.Load() > r.Epoch: // it is of later upstreams
	case e != nil:
		life, e.key = e.life, string(key)
		if c.entries.Add(at, e) && c.cfg.Evicted != nil {
			c.cfg.Evicted()
		}
	case there && r.Verdict.Wins(): // which knows better
		c.entries.Remove(at)
	}
	return life
}

// Denied says that an upstream denies what a question asks for. If it gave the answer that is
// kept, or the alias that this begins with, that goes.
func (c *Cache[U]) Denied(question []byte, by U) {
	c.removeIf(question, func(e *Entry[U]) bool {
		return e.Kind == Answer && len(e.Givers) > 0 && c.cfg.Same(e.Givers[0], by)
	})
}

// Heard says that an upstream that was silent has given its opinion of a question. A denial
// without it goes.
func (c *Cache[U]) Heard(question []byte) {
	c.removeIf(question, func(e *Entry[U]) bool { return e.Kind == Denial && e.Inconclusive })
}

// removeIf removes what is kept for a question, whatever the flags, if goes says so.
func (c *Cache[U]) removeIf(question []byte, goes func(*Entry[U]) bool) {
	var buf [maxKey]byte
	key := appendKey(buf[:0], question, 0)
	for f := range flags {
		key[len(key)-1] = byte(f)
		if e := c.find(key); e != nil && goes(e) {
			c.entries.Remove(hash(key))
		}
	}
}

// Forget removes what is kept for names, which are in wire format and lower case, if is says so,
// and returns how many replies that were.
func (c *Cache[U]) Forget(is func(name []byte) bool) int {
	return c.forget(func(e *Entry[U]) bool { return is([]byte(e.key[:len(e.key)-5])) })
}

// ForgetOf removes the replies of an upstream, in the whole or in part, and returns how many.
func (c *Cache[U]) ForgetOf(u U) int {
	return c.forget(func(e *Entry[U]) bool { return c.gave(e, u) })
}

func (c *Cache[U]) forget(goes func(*Entry[U]) bool) (n int) {
	c.entries.Walk(func(entries map[uint64]*Entry[U], at uint64) bool {
		if e := entries[at]; e != nil && goes(e) {
			delete(entries, at)
			n++
		}
		return true
	})
	return n
}

var seed = maphash.MakeSeed()

func hash(key []byte) uint64 { return maphash.Bytes(seed, key) }

package cache

import (
	"slices"
	"time"
)

// maxChanges is how many changes are told apart. What is from before the first of them ends
// with that.
const maxChanges = 64

// changes are the last ones, in order. A value is not changed but replaced.
type changes[U any] struct {
	next uint64 // how many there were in all: the number of the next one
	last []change[U]
}

// change is something that ends lives.
type change[U any] struct {
	at  time.Time
	all bool // of everything
	who U    // else the upstream that fell silent or is back
	up  bool // it is back
}

// Epoch is the number of changes so far. A reply counts from the epoch in which its race
// began.
func (c *Cache[U]) Epoch() uint64 { return c.changes.Load().next }

// Changed says that the upstreams are others, or are reached in another way, so that they may
// be others: all that was kept ends.
func (c *Cache[U]) Changed(now time.Time) { c.add(change[U]{at: now, all: true}) }

// Fell says that an upstream does not reply any more, while others do. Denials end, for it
// gave its opinion too, and so do the answers that it gave: others may give one.
func (c *Cache[U]) Fell(u U, now time.Time) { c.add(change[U]{at: now, who: u}) }

// Returned says that an upstream replies again. Denials end, and so do answers in zones that
// it may know.
func (c *Cache[U]) Returned(u U, now time.Time) { c.add(change[U]{at: now, who: u, up: true}) }

func (c *Cache[U]) add(is change[U]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.changes.Load()
	last := old.last[max(0, len(old.last)-maxChanges+1):]
	c.changes.Store(&changes[U]{next: old.next + 1, last: append(last[:len(last):len(last)], is)})
}

// endedBy returns when a change has ended the life of an entry, if one has.
func (c *Cache[U]) endedBy(e *Entry[U], question []byte, all *changes[U]) (at time.Time, ends bool) {
	epoch, first := e.epoch.Load(), all.next-uint64(len(all.last))
	if epoch < first {
		return all.last[0].at, true
	}
	for _, is := range all.last[min(epoch-first, uint64(len(all.last))):] {
		if c.ends(is, e, question) {
			return is.at, true
		}
	}
	return at, false
}

// ends reports whether a change ends the life of an entry from before.
func (c *Cache[U]) ends(is change[U], e *Entry[U], question []byte) bool {
	if is.all || e.Kind != Answer {
		return true
	}
	return c.gave(e, is.who) || is.up && c.cfg.MayKnow(is.who, question)
}

// gave reports whether a reply, or a part of it, is that of an upstream.
func (c *Cache[U]) gave(e *Entry[U], u U) bool {
	return slices.ContainsFunc(e.Givers, func(giver U) bool { return c.cfg.Same(giver, u) })
}

package pool

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// keeping is what a call has to do with the cache; nil: nothing is kept of it.
type keeping struct {
	cache    *cache.Cache[*Member]
	question []byte
	flags    cache.Flags
	epoch    uint64
	old      *Kept // an answer whose life has ended, to be given if its giver is away; nil: none
}

// of says what the race asks, and returns k, or nil if nothing is kept of that.
func (k *keeping) of(query []byte, trustAD bool) *keeping {
	if k == nil {
		return nil
	}
	ok := false
	if k.question, k.flags, ok = cache.Keyed(query); !ok {
		return nil
	}
	if !trustAD { // then it is the same for all
		k.flags &^= cache.AD
	}
	k.look()
	return k
}

// look looks up the answer that may be given if its giver is away.
func (k *keeping) look() {
	old, _, state := k.cache.Get(k.question, k.flags, time.Now())
	k.old = nil
	if state != cache.None && old.Kind == cache.Answer {
		k.old = old
	}
}

// hear hears an upstream's reply to what is asked, which may come after the race.
func (k *keeping) hear(by *Member, verdict race.Verdict, late bool) {
	if k == nil {
		return
	}
	if verdict.Negative() {
		k.cache.Denied(k.question, by)
	}
	if late && (verdict.Negative() || verdict == race.Good) {
		k.cache.Heard(k.question)
	}
}

package pool

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

const (
	// clientWait is how long clients wait for a race while there is an answer whose life has
	// ended (RFC 8767, section 5).
	clientWait = 1800 * time.Millisecond
	// leftFor is how long an upstream that left the list is away rather than gone: it may come
	// back, as one of a VPN that connects anew.
	leftFor = time.Minute
)

// wait is how long clients wait for the race.
func (k *keeping) wait() time.Duration {
	if k == nil || k.old == nil {
		return race.Forever
	}
	return clientWait
}

// outlived gives what was kept in the place of a race's outcome, and reports that, if that is
// no good answer because the giver is away (RFC 8767, section 4).
func (c *call) outlived(now time.Time) bool {
	k := c.keeping
	if k == nil || c.Verdict == race.Good || c.Verdict == race.Truncated {
		return false
	}
	k.look() // it may have been denied meanwhile
	if k.old == nil || !c.giversAway(k.old, now) {
		return false
	}
	k.old.Hold(k.epoch, now)
	c.Stale = k.old
	return true
}

// giversAway reports whether some giver of an answer said nothing about its name in this race,
// and none denies it: it is down, failed or was silent, or has left the list just now. Those
// that gave what the name is an alias of are asked about that if the alias is still there.
func (c *call) giversAway(old *Kept, now time.Time) (away bool) {
	if len(c.Errs) == 0 { // the outcome is final
		return false
	}
	members, errs := c.Members, c.Errs
	for n, giver := range old.Givers {
		if end := c.race.given; n == 1 && end != nil && end.res != nil {
			members, errs = end.res.Members, end.res.Errs
		}
		i := slices.IndexFunc(members[:len(errs)], giver.same)
		switch gone := i >= 0 && errs[i] != nil || i < 0 && giver.leftWithin(leftFor, now); {
		case gone && n == 0:
			return true
		case gone:
			away = true
		case n > 0 || len(old.Givers) == 1 || i < 0 || !c.hasAlias(i):
			return false
		}
	}
	return away
}

// hasAlias reports whether a leg's upstream itself has said that the name is an alias.
func (c *call) hasAlias(leg int) bool {
	if leg >= len(c.race.Members) { // it was asked for the end alone
		return false
	}
	verdict, _ := c.race.race.Reply(leg)
	return verdict.Wins() || verdict == race.NXDomainChain
}

// hasOther reports whether clients are given an answer that is kept for another type of the
// name: some take the denial of one type for that of all.
func (c *call) hasOther(now time.Time) bool {
	k := c.keeping
	if k == nil {
		return false
	}
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		if qtype == wire.QuestionType(k.question) {
			continue
		}
		other := bytes.Clone(k.question)
		binary.BigEndian.PutUint16(other[len(other)-4:], qtype)
		old, _, state := k.cache.Get(other, k.flags, now)
		if state != cache.None && old.Kind == cache.Answer && (state == cache.Alive || c.giversAway(old, now)) {
			return true
		}
	}
	return false
}

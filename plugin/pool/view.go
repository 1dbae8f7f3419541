package pool

import (
	"context"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/knowledge"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// How long a better answer is waited for (R17): after the first good one, and after it was
// asked for.
const (
	grace     = 20 * time.Millisecond
	maxBetter = 200 * time.Millisecond
)

// betterWait is how long the answer of upstream i is waited for after it was asked for: as long
// as it usually takes at the most, with some time to spare. If that is not known, it is as long
// as may be; if it usually takes longer than that, not at all.
func (s *set) betterWait(i int) time.Duration {
	l := &s.latencies[i]
	switch median := l.Median(); {
	case s.cfg.Grace > 0:
		return s.cfg.Grace
	case median == 0:
		return maxBetter
	case median > maxBetter:
		return 0
	}
	return min(2*l.P95(), maxBetter)
}

// view is the upstream whose answer for another type of the name clients have, if that matters
// in the zone: answers differ, or private ones are preferred and it gives such. -1: there is none.
func (s *set) view(question []byte, known knowledge.Standing, now time.Time) int {
	by, ok := s.names.View(question, now)
	if !ok || known.Differ == 0 && (s.cfg.Prefer != option.Private || !known.Private.Has(by)) {
		return -1
	}
	return by
}

// inView has the race go on if clients get other types of the name from another upstream, which
// may have been decided meanwhile: clients ask for several types at once. So what comes of A and
// AAAA is waited for, if these are being asked for. It takes no longer than a better answer may.
func (c *call) inView() {
	if c.pool == nil || c.question == nil || c.race.setup().Final || c.Leg < 0 || !c.race.race.Contested(c.Leg) {
		return
	}
	end := time.NewTimer(max(maxBetter, c.set.cfg.Grace))
	defer end.Stop()
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		if qtype == wire.QuestionType(c.question) {
			continue
		}
		decided := c.pool.calls.viewOf(c, keyOf(ofType(c.race.plain, qtype)))
		if decided == nil {
			continue
		}
		select {
		case <-decided:
		case <-end.C:
		}
	}
	now := time.Now()
	view := c.set.view(c.question, c.set.zones.Standing(c.question, now), now)
	if view < 0 || view == c.Leg || view >= c.race.begunWith {
		return
	}
	c.race.race.View(view)
	c.race.waitUntil(context.Background(), race.Forever, &c.Result.Result)
}

// viewOf returns what is closed when it is known what comes of another type of a call's name, for
// which there is a call with that key; nil: there is none, or it waits itself.
func (cs *calls) viewOf(c *call, key string) <-chan struct{} {
	cs.mu.Lock()
	other := cs.underway[key]
	waits := other != nil && other.viewing
	c.viewing = c.viewing || !waits
	cs.mu.Unlock()
	if waits {
		return nil
	}
	return cs.during(key, c.set)
}

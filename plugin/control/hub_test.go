package control

import (
	"fmt"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/race"
)

func all(*Facts) bool { return true }

// raceOf is what makes the event of a race of that size.
func raceOf(name string, size int) func() (func() *api.RaceEvent, int) {
	return func() (func() *api.RaceEvent, int) {
		return func() *api.RaceEvent {
			return &api.RaceEvent{Event: api.EventRace, Race: api.Race{Outcome: api.Outcome{Name: name}}}
		}, size
	}
}

// R25: a reader that never reads loses the oldest events and is told how many; others lose none,
// and little memory is used.
func TestR25NeverReads(t *testing.T) {
	var h Hub
	stuck, reads := newReader(all), newReader(all)
	h.add(stuck)
	h.add(reads)
	now := time.Unix(1000, 0)
	const events = 20_000
	got := 0
	for i := range events {
		if i%(maxRate/2) == 0 { // not so many a second that they are sampled
			now = now.Add(time.Second)
		}
		h.PublishRace(&Facts{}, now, raceOf(fmt.Sprint(i), 1000))
		some, lost := reads.take()
		if lost > 0 {
			t.Fatalf("%d are lost", lost)
		}
		got += len(some)
	}
	if got != events {
		t.Errorf("%d of %d are read", got, events)
	}
	if stuck.bytes > maxBytes || len(stuck.wait) > maxEvents {
		t.Errorf("%d events of %d bytes wait", len(stuck.wait), stuck.bytes)
	}
	some, lost := stuck.take()
	if len(some)+lost != events || lost == 0 {
		t.Errorf("%d wait, and %d are lost", len(some), lost)
	}
	if last := some[len(some)-1].race().Name; last != fmt.Sprint(events-1) {
		t.Errorf("the last is %s", last)
	}
	h.remove(stuck)
	h.remove(stuck)
	if h.Readers() != 1 || !h.Awake() {
		t.Error("it counts wrongly")
	}
}

// Events that are small are bounded by their number.
func TestManySmall(t *testing.T) {
	var h Hub
	r := newReader(all)
	h.add(r)
	for range 3 * maxEvents {
		h.Publish(now(api.EventList))
	}
	some, lost := r.take()
	if len(some) > maxEvents || len(some)+lost != 3*maxEvents {
		t.Errorf("%d and %d", len(some), lost)
	}
}

// Of very many races a second only some are shown, and that is said; those that a filter leaves are
// all shown.
func TestR25Sampled(t *testing.T) {
	var h Hub
	everything, denied := newReader(all), newReader(func(f *Facts) bool { return f.Verdict.Negative() })
	h.add(everything)
	h.add(denied)
	now := time.Unix(1000, 0)
	shown, denials, made := 0, 0, 0
	var rates []int
	const seconds, rate = 6, 5000
	for i := range seconds * rate {
		if i%rate == 0 {
			now = now.Add(time.Second)
		}
		f := &Facts{Verdict: race.Good}
		if i%100 == 0 {
			f.Verdict = race.NXDomainSOA
		}
		h.PublishRace(f, now, func() (func() *api.RaceEvent, int) { made++; return raceOf("x", 1000)() })
		some, _ := everything.take()
		for _, e := range some {
			if s, ok := e.is.(api.SampledEvent); ok {
				rates = append(rates, s.OneOf)
			} else {
				shown++
			}
		}
		more, _ := denied.take()
		denials += len(more)
	}
	if shown > seconds*maxRate*11/10 || shown < seconds*maxRate/2 {
		t.Errorf("%d are shown", shown)
	}
	if denials != seconds*rate/100 {
		t.Errorf("%d denials of %d are shown", denials, seconds*rate/100)
	}
	if made > shown+denials {
		t.Errorf("%d are made", made)
	}
	if len(rates) == 0 || rates[len(rates)-1] != rate/maxRate {
		t.Errorf("one of %v", rates)
	}
	// When there are few again, all are shown.
	for i := range 10 {
		h.PublishRace(&Facts{}, now.Add(time.Duration(3+i)*time.Second), raceOf("x", 1000))
	}
	some, _ := everything.take()
	if s, ok := some[0].is.(api.SampledEvent); !ok || s.OneOf != 1 || len(some) != 11 {
		t.Errorf("%d, the first is %+v", len(some), some[0].is)
	}
}

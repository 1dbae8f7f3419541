package account

import (
	"sync"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// What was counted leaves the last minute, and the last hour, as time goes.
func TestLately(t *testing.T) {
	begin := instant.Time(1<<61 + 12345)
	for _, tc := range []struct {
		after        time.Duration
		minute, hour int
	}{
		{0, 1, 1}, {54 * time.Second, 1, 1}, {61 * time.Second, 0, 1}, {58 * time.Minute, 0, 1}, {61 * time.Minute, 0, 0}, {100 * time.Hour, 0, 0},
	} {
		var tally Tally
		tally.Add(Denied, 1, begin)
		minute, hour := tally.Lately(begin.Add(tc.after))
		if minute[Denied] != tc.minute || hour[Denied] != tc.hour {
			t.Errorf("after %v: %d in the minute, %d in the hour; want %d and %d", tc.after, minute[Denied], hour[Denied], tc.minute, tc.hour)
		}
	}
}

// A thing a second is counted 60 times a minute and 3,600 times an hour, give or take one span.
func TestSteady(t *testing.T) {
	var tally Tally
	now := instant.Time(1 << 61)
	for range 2 * 60 * 60 {
		tally.Add(Good, 1, now)
		now = now.Add(time.Second)
	}
	minute, hour := tally.Lately(now)
	if minute[Good] < 55 || minute[Good] > 60 || hour[Good] < 59*60 || hour[Good] > 60*60 {
		t.Errorf("%d a minute, %d an hour", minute[Good], hour[Good])
	}
}

// Nothing is lost when many count, and one looks, while spans end.
func TestCountedByMany(t *testing.T) {
	var tally Tally
	var all sync.WaitGroup
	begin := instant.Time(1 << 61)
	const each = 1000
	for range 4 {
		all.Go(func() {
			for i := range each {
				tally.Add(Only, 1, begin.Add(time.Duration(i)*50*time.Millisecond))
				tally.Lately(begin.Add(time.Duration(i) * 50 * time.Millisecond))
			}
		})
	}
	all.Wait()
	if _, hour := tally.Lately(begin.Add(time.Minute)); hour[Only] != 4*each {
		t.Errorf("%d of %d are counted", hour[Only], 4*each)
	}
}

// A clock that another goroutine read earlier takes nothing back.
func TestEarlierIsCounted(t *testing.T) {
	var tally Tally
	now := instant.Time(1 << 61)
	tally.Add(Good, 1, now.Add(time.Minute))
	tally.Add(Good, 1, now)
	if _, hour := tally.Lately(now.Add(time.Minute)); hour[Good] != 2 {
		t.Errorf("%d are counted", hour[Good])
	}
	var none *Upstream
	none.Count(Good, now)
	none.Fail(nil, time.Time{})
	none.Changes(1, time.Time{})
}

package upstream

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/poll"
)

// ringing counts how often an alarm rings, and is closed.
type ringing struct {
	poll.Alarm
	rings, ended atomic.Int32
}

func (r *ringing) Close() { r.ended.Add(1); r.Alarm.Close() }

func counted(t *Tidier) *ringing {
	r := new(ringing)
	r.Alarm = poll.NewAlarm(false, func() { r.rings.Add(1); t.ring() })
	t.alarm = r
	return r
}

// One alarm serves all upstreams, once a second at most, and not at all when nothing is due. When
// it is closed a timer takes its place.
func TestTidierOneAlarm(t *testing.T) {
	for _, closed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f, tidier := newFake(answerAfter(20*ms, nil)), NewTidier(false)
			r := counted(tidier)
			var all []*Upstream
			for range 5 {
				all = append(all, f.upstream(t, func(c *Config) { c.Tidier = tidier }))
			}
			const seconds = 5
			begun := time.Now()
			for time.Since(begun) < seconds*time.Second {
				for _, u := range all {
					ask(u, query("host.example."))
				}
			}
			if n := r.rings.Load(); n < seconds-1 || n > seconds+1 {
				t.Errorf("the alarm rang %d times in %d s", n, seconds)
			}
			if closed {
				tidier.Close()
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if n := f.stillOpen(); n > 0 {
				t.Errorf("%d sockets are open", n)
			}
			rings := r.rings.Load()
			time.Sleep(time.Minute)
			synctest.Wait()
			tidier.mu.Lock()
			defer tidier.mu.Unlock()
			if n := r.rings.Load() - rings; n > 0 || len(tidier.due) > 0 || !tidier.next.IsZero() {
				t.Errorf("it rang %d times in vain, %d are due", n, len(tidier.due))
			}
			if n := r.ended.Load(); (n == 1) != closed {
				t.Errorf("it was closed %d times", n)
			}
		})
	}
}

// An upstream that is tidied late, since the alarm rings too early at first, is tidied all the same.
func TestTidierRingsEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(20*ms, nil))
		tidier := NewTidier(false)
		u := f.upstream(t, func(c *Config) { c.Tidier = tidier })
		ask(u, query("host.example."))
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(70 * ms) {
			tidier.ring()
		}
		if n := f.stillOpen(); n > 0 {
			t.Errorf("%d sockets are open", n)
		}
	})
}

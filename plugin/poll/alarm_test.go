package poll

import (
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/instant"
)

// An alarm rings when it is due, also if it is closed meanwhile, and not when it was stopped; and
// nothing of it stays.
func TestAlarm(t *testing.T) {
	defer testkit.NoLeaks(t)
	const soon = 20 * time.Millisecond
	for _, system := range []bool{false, true} {
		for _, closed := range []bool{false, true} {
			rings := make(chan instant.Time, 100)
			a := NewAlarm(system, func() { rings <- instant.Now() })
			for range 3 {
				at := instant.Now().Add(soon)
				a.Set(at)
				if closed {
					a.Close()
				}
				for (<-rings).Before(at) { // as when it begins
				}
			}
			for len(rings) > 0 {
				<-rings
			}
			a.Set(instant.Now().Add(time.Hour))
			a.Stop()
			a.Close()
			time.Sleep(soon)
			if n := len(rings); n > 0 {
				t.Errorf("system %v, closed %v: it rang %d times when it was stopped", system, closed, n)
			}
		}
	}
}

// One that is set to a time that has passed rings at once.
func TestAlarmOfThePast(t *testing.T) {
	for _, system := range []bool{false, true} {
		rings := make(chan bool, 2) // it may ring for no reason when it is closed
		a := NewAlarm(system, func() { rings <- true })
		a.Set(instant.Now().Add(-time.Hour))
		<-rings
		a.Close()
	}
}

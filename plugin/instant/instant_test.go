package instant_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// It is the clock of package time, in virtual time as well, and Never is long ago.
func TestNow(t *testing.T) {
	check := func(t *testing.T) {
		began, begun := time.Now(), instant.Now()
		if apart := begun.Sub(instant.Of(began)); apart < 0 || apart > time.Minute {
			t.Errorf("now is %v after what package time says", apart)
		}
		if apart := begun.Time().Sub(began); apart < 0 || apart > time.Minute {
			t.Errorf("package time has now %v later", apart)
		}
		if long := begun.Sub(instant.Never); long < 40*365*24*time.Hour || !instant.Never.Before(begun) || begun.IsZero() {
			t.Errorf("never was %v ago", long)
		}
	}
	t.Run("real", check)
	synctest.Test(t, func(t *testing.T) {
		check(t)
		at := instant.Now().Add(time.Hour)
		time.Sleep(time.Hour)
		if at != instant.Now() || instant.Since(at) != 0 || instant.Until(at) != 0 {
			t.Errorf("an hour later it is %v later", instant.Since(at))
		}
	})
}

// Whole seconds are those of the system's clock.
func TestWholeSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which begins at one
		begun := instant.Now()
		for from, want := range map[time.Duration]time.Duration{
			0: 0, 1: time.Second, time.Second - 1: time.Second, time.Second: time.Second,
			1500 * time.Millisecond: 2 * time.Second, -1: 0, -1500 * time.Millisecond: -time.Second,
		} {
			if got := instant.WholeSecond(begun.Add(from)).Sub(begun); got != want {
				t.Errorf("from %v on it is at %v, want %v", from, got, want)
			}
		}
		time.Sleep(300 * time.Millisecond)
		if got := instant.WholeSecond(instant.Now()).Sub(begun); got != time.Second {
			t.Errorf("300 ms later it is at %v", got)
		}
	})
}

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

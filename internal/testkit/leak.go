package testkit

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// MainNoLeaks runs the tests, and ends the program. They fail if a goroutine of theirs does not
// end. One may take some time to: sockets and connections are closed in the background.
func MainNoLeaks(m interface{ Run() int }) { goleak.VerifyTestMain(settled{Tidy(m)}, readers) }

// readers of UDP sockets stay.
var readers = goleak.IgnoreAnyFunction("github.com/dnsmus/dnsmus/plugin/udp.(*reader).run")

// settled are tests after which goroutines have as long to end as a busy machine needs: goleak
// itself waits for less than half a second, and a query without reply that nobody waits for lives
// for twice its timeout, which may be Patience.
type settled struct{ tests interface{ Run() int } }

func (m settled) Run() int {
	code := m.tests.Run()
	for end := time.Now().Add(3 * Patience); code == 0 && goleak.Find(readers) != nil && time.Now().Before(end); {
	}
	return code
}

// NoLeaks requires that no goroutine is left but the test's.
func NoLeaks(t testing.TB) {
	t.Helper()
	Eventually(t, func() error { return goleak.Find(readers) })
}

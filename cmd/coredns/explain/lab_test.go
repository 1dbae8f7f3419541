package explain

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/internal/testkit"
)

func TestMain(m *testing.M) { testkit.MainNoLeaks(m) }

// Replies of resolvers.
var (
	knows    = testkit.Knows
	nodata   = testkit.NoData
	nxdomain = testkit.NXDomain
	code     = testkit.Rcode
	silent   = testkit.Silent
	resolver = func(t *testing.T, b testkit.Behaviour) netip.AddrPort { t.Helper(); return testkit.Behaving(t, b) }
)

type behaviour = testkit.Behaviour

// on runs the command on a screen, without a server and an installed Corefile.
func on(t *testing.T, s show.Screen, args ...string) (status int, problems string) {
	t.Helper()
	var stderr bytes.Buffer
	c := command{name: "dnsmus explain", out: s, problems: &stderr}
	return c.run(t.Context(), args), stderr.String()
}

// explains runs the command on what is no terminal.
func explains(t *testing.T, args ...string) (status int, out, problems string) {
	t.Helper()
	var stdout bytes.Buffer
	status, problems = on(t, show.Screen{Writer: &stdout}, args...)
	return status, stdout.String(), problems
}

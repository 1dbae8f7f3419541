package outcome

import (
	"net/netip"
	"testing"

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

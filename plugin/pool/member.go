package pool

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/account"
	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// Member is an upstream in use.
type Member struct {
	*upstream.Upstream
	Server   server.Server
	Observer upstream.Observer // what Config.Observe returned
	trust    trust
	account  *account.Upstream // nil: nothing is counted

	left  atomic.Pointer[time.Time] // when it left the list; nil: it has not
	onWay bool                      // it matters how packets leave for it
	way   *link.Way                 // how they did at the last look; nil: there was none. Guarded by links.mu
}

// MayGivePrivate reports whether answers of the upstream with private addresses are good, as
// far as that depends on the upstream. Of an answer made of several upstreams' parts, all of
// them must.
func (m *Member) MayGivePrivate() bool {
	t := &m.trust
	return !t.limited || t.byLink && (t.tunnel.Load() || t.ofVPN.Load())
}

// suspects returns what finds replies of the upstream that may be forged, because they are
// bogus; nil: none is.
func (m *Member) suspects(policy race.Policy) func(reply []byte) bool {
	if len(policy.Bogus) == 0 && !m.trust.limited {
		return nil
	}
	return func(reply []byte) bool {
		policy := policy
		policy.NoPrivate = !m.MayGivePrivate()
		return race.Judge(reply, policy).IsBogus()
	}
}

// onLink reports whether it matters over which interface an upstream is reached.
func (m *Member) onLink() bool { return m.Server.Link != "" || m.trust.byLink || m.onWay }

// quick is how long NODATA of an upstream that has the name waits for others at most (R4).
const quick = 100 * time.Millisecond

// mostFor is how long NODATA waits for the upstream's reply, as [race.OtherType] says: to the
// end if it may make the addresses, not at all if it is always slow, and else as long as it
// usually takes.
func (m *Member) mostFor(qtype uint16) time.Duration {
	usual, fastest := m.Usual()
	switch {
	case qtype == dns.TypeAAAA && m.Makes64():
		return 0
	case fastest > quick:
		return -1
	case usual == 0:
		return quick
	}
	return min(usual, quick)
}

// same reports whether two members are one upstream: it may have left the list in between.
func (m *Member) same(other *Member) bool { return m == other || m.Server.Equal(other.Server) }

// leftWithin reports whether the upstream has left the list, not longer ago than that.
func (m *Member) leftWithin(d time.Duration, now time.Time) bool {
	left := m.left.Load()
	return left != nil && cache.Since(*left, now) < d
}

// Names are upstreams as they are written, with commas in between.
func Names(members []*Member) string {
	if len(members) == 1 {
		return members[0].String()
	}
	var names []string
	for _, m := range members {
		names = append(names, m.String())
	}
	return strings.Join(names, ",")
}

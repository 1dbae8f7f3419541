package cache

import (
	"time"
)

// How long replies live.
const (
	maxAnswer   = time.Hour
	maxDenial   = time.Minute // NXDOMAIN and NODATA are opinions of the upstreams of this moment
	failureLife = time.Second // RFC 9520, section 3.2; more would hide a VPN that is back
	staleFor    = time.Hour   // after their end, answers whose giver is away
)

// StaleTTL is the TTL, in seconds, of an answer that is given after its end (RFC 8767, section
// 4).
const StaleTTL = 30

// denialLife is how long a denial lives: as its SOA says (RFC 2308, section 5), and for a time
// that is given where it has none or where not all agree.
func denialLife(b *body, inconclusive bool, negative time.Duration) time.Duration {
	life := maxDenial
	if inconclusive || !b.soa {
		life = min(life, negative)
	}
	if len(b.ttls) > 0 {
		life = min(life, b.least())
	}
	return life
}

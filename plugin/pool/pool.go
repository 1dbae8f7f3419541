// Package pool holds the upstreams in use, and runs races over them. It does not know
// CoreDNS, so the server and the command `explain` share it.
package pool

import (
	"sync"
	"sync/atomic"

	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// Pool is the upstreams in use. Its methods may be called from any goroutine.
type Pool struct {
	cfg     Config
	ports   *ports.Ports
	clock   race.Clock
	tidier  *upstream.Tidier
	set     atomic.Pointer[set] // stored by Replace alone
	calls   calls
	besides besides
	lately  lately
	links   links

	cache     *cache.Cache[*Member] // nil: nothing is kept
	renewals  atomic.Int64          // under way
	inquiries atomic.Int64          // so far
	told      atomic.Int64          // the second in which upstreams were last told that there are clients

	confirming sync.Map // of confirmation, under way
}

// Members returns the upstreams in use, in the order of preference. The list must not
// be changed.
func (p *Pool) Members() []*Member { return p.set.Load().members }

// keeping is what a race that is about to begin has to do with the cache. It is to be called
// before the race's upstreams are chosen: so a change that comes between counts as one after.
func (p *Pool) keeping() *keeping {
	if p.cache == nil {
		return nil
	}
	return &keeping{cache: p.cache, epoch: p.cache.Epoch()}
}

// KnownZones is the number of zones that something is known about.
func (p *Pool) KnownZones() (n int) {
	for _, z := range p.set.Load().allZones() {
		n += z.Len()
	}
	return n
}

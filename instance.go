package dnsmus

import (
	"sync"

	"github.com/coredns/caddy"

	"github.com/dnsmus/dnsmus/plugin/handler"
)

// LoadFailed notes whether the Corefile could not be read when it was last to be loaded again, for
// the metric of reloads that fail. CoreDNS tells plugins only of those that fail later.
func LoadFailed(failed bool) { handler.LoadFailed(failed) }

// started are the handlers that have started, with a mark of the instance that each is of: a
// configuration as CoreDNS runs it. CoreDNS does not tell plugins that an instance is given
// up after all, as when an address cannot be listened on, so that is found out here.
var started = handlers{marks: make(map[*handler.Handler]*mark)}

type handlers struct {
	mu    sync.Mutex
	marks map[*handler.Handler]*mark
}

// mark is in the storage of an instance, by markKey.
type mark struct{ _ byte }

type markKey struct{}

// add notes that a handler of the controller's instance starts.
func (hs *handlers) add(c *caddy.Controller, h *handler.Handler) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	m, ok := c.Get(markKey{}).(*mark)
	if !ok {
		m = new(mark)
		c.Set(markKey{}, m)
	}
	hs.marks[h] = m
}

// stop stops a handler.
func (hs *handlers) stop(h *handler.Handler) error {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	delete(hs.marks, h)
	return h.Stop()
}

// stopGivenUp stops the handlers of instances that CoreDNS has given up.
func (hs *handlers) stopGivenUp() error {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if len(hs.marks) == 0 {
		return nil
	}
	alive := make(map[any]bool)
	for _, instance := range caddy.Instances() {
		instance.StorageMu.RLock()
		alive[instance.Storage[markKey{}]] = true
		instance.StorageMu.RUnlock()
	}
	for h, m := range hs.marks {
		if !alive[m] {
			delete(hs.marks, h)
			h.Stop()
		}
	}
	return nil
}

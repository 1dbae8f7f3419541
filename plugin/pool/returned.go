package pool

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// noticing is an observer that notices when an upstream returns.
type noticing struct {
	upstream.Observer
	returned func()
}

// Up implements upstream.Observer.
func (n noticing) Up(turn uint64, after time.Duration) {
	n.returned()
	n.Observer.Up(turn, after)
}

// Link implements upstream.Observer.
func (n noticing) Link(state link.State, turn uint64) {
	if turn > 0 && state != link.Gone {
		n.returned()
	}
	n.Observer.Link(state, turn)
}

package control

import (
	"slices"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// Block is a server block with dnsmus, as the socket tells of it.
type Block struct {
	Name     string   // that others of the socket do not have
	Listens  []string // as in [api.Server]
	Zones    []string
	InFront  bool     // the plugin cache stands before dnsmus
	Before   []string // other plugins that do, and may answer
	Values   *option.Values
	ToldBy   func(server.Server) []string // the sources that name an upstream
	Unusable func() []string              // says which sources cannot be used now, and why; nil: there are none
	Failing  func(*pool.Member) time.Time // since when queries to it end with errors; zero: the last did not
	Pool     *pool.Pool
	Memory   *Memory
}

// Replaced notes that a block has other upstreams now.
func (b *Block) Replaced(added, removed []string) {
	b.Memory.keepOnly(b.Pool.Members())
	if b.Memory.Events.Awake() {
		b.Memory.Events.Publish(api.ListEvent{
			Event:     api.Event{Event: api.EventList, At: time.Now().UTC(), Server: b.Name},
			Upstreams: list(b.upstreams()), Added: list(added), Removed: list(removed),
		})
	}
}

// list is a list that is never null.
func list(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}

// follows notes that a block has taken the place of another, which may have had other upstreams.
func (b *Block) follows(old *Block) {
	now, before := b.upstreams(), old.upstreams()
	without := func(all, those []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(those, name) })
	}
	if added, removed := without(now, before), without(before, now); len(added)+len(removed) > 0 {
		b.Replaced(added, removed)
	}
}

// upstreams are the names of a block's upstreams.
func (b *Block) upstreams() (names []string) {
	for _, m := range b.Pool.Members() {
		names = append(names, m.String())
	}
	return names
}

// is reports whether a block is meant by a name: its own, or where it listens.
func (b *Block) is(name string) bool {
	return strings.EqualFold(b.Name, name) || slices.Contains(b.Listens, name)
}

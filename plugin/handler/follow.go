package handler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

// firstWait is how long the first queries wait for what the sources name now, and for
// upstreams if there are none: the sources were perhaps read long ago, when the machine had
// no network yet. One of them may hang.
const firstWait = 500 * time.Millisecond

// NoneKnown is logged where no source names an upstream yet.
const NoneKnown = "No upstream is known yet, as on a machine without network; queries are answered with SERVFAIL until there is one; 'explain --links' shows what the system knows, and what is left out"

// follower keeps the upstreams of a pool as a list of sources has them.
type follower struct {
	pool      *pool.Pool
	list      *source.List
	listeners Listeners
	leftOut   []server.Server // of the list: the server block itself listens there

	toldBy   atomic.Pointer[map[server.ID][]string] // the sources that name each
	unusable atomic.Pointer[[]string]
	replaced func(added, removed []server.Server) // is told of other upstreams; nil: nobody is

	begin     func() // starts to follow; only the first call does anything
	begun     time.Time
	firstWait time.Duration
	looked    *event // all sources were read since, or firstWait is over
	some      *event // there are upstreams

	mu      sync.Mutex // held while upstreams are replaced
	stop    func()     // ends the watching; nil: it has not begun
	stopped bool
}

// newFollower returns a follower of a list that was read once, for the first upstreams, and
// belongs to the follower from now on.
func newFollower(p *pool.Pool, list *source.List, listeners Listeners) *follower {
	f := &follower{pool: p, list: list, listeners: listeners, firstWait: firstWait, looked: newEvent(), some: newEvent()}
	_, f.leftOut = listeners.Drop(list.Servers())
	f.noteSources()
	f.begin = sync.OnceFunc(func() {
		f.begun = time.Now()
		time.AfterFunc(f.firstWait, f.looked.happens)
		go f.watch()
	})
	return f
}

// event is something that happens once.
type event struct {
	happened atomic.Bool
	done     chan struct{}
	happens  func() // only the first call does anything
}

func newEvent() *event {
	e := &event{done: make(chan struct{})}
	e.happens = sync.OnceFunc(func() {
		e.happened.Store(true)
		close(e.done)
	})
	return e
}

// await reports whether there are upstreams, and may wait for some, and for what the sources
// name now. Following has begun.
func (f *follower) await(ctx context.Context) bool {
	if !f.looked.happened.Load() { // a closed channel would cost each query a lock
		select {
		case <-f.looked.done:
		case <-ctx.Done():
		}
	}
	if len(f.pool.Members()) > 0 {
		return true
	}
	left := time.NewTimer(time.Until(f.begun.Add(f.firstWait)))
	defer left.Stop()
	select {
	case <-f.some.done:
	case <-left.C:
	case <-ctx.Done():
	}
	return len(f.pool.Members()) > 0
}

// watch starts to follow. The list is read at once, because it may have changed
// since it was read last.
func (f *follower) watch() {
	stop, err := f.list.Watch(f.update)
	if err != nil {
		log.Warning(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stop = stop
	if f.stopped {
		stop()
	}
}

// end ends the watching; upstreams are not replaced any more. It is called once.
func (f *follower) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
	if f.stop != nil {
		f.stop()
	}
}

// update makes what the sources name now the upstreams. It is called by one goroutine at a
// time.
func (f *follower) update(r source.Report) {
	if r.Complete {
		defer f.looked.happens()
	}
	for _, text := range r.Warnings {
		log.Warning(text)
	}
	for _, err := range r.Problems {
		log.Warningf("%v; keeping its previous upstreams", err)
		reloads.WithLabelValues("failure").Inc()
	}
	for _, name := range r.Recovered {
		log.Infof("%s is usable now", name)
	}
	if n := len(r.Reloaded); n > 0 {
		reloads.WithLabelValues("success").Add(float64(n))
		reloadTime.SetToCurrentTime()
	}
	f.noteSources()
	others, loops := f.listeners.Drop(f.list.Servers())
	for _, s := range loops {
		if !slices.ContainsFunc(f.leftOut, s.Equal) {
			log.Warning(LeftOut(s))
		}
	}
	f.leftOut = loops
	if len(others) == 0 {
		if len(r.Reloaded) > 0 && len(f.pool.Members()) > 0 {
			log.Warningf("%s: no upstream is left; keeping the previous upstreams", strings.Join(r.Reloaded, ", "))
		}
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return
	}
	added, removed := replace(f.pool, others)
	f.some.happens()
	if len(added)+len(removed) > 0 {
		log.Infof("Upstreams are now %s; added: %s; removed: %s", namesOf(others), namesOf(added), namesOf(removed))
		if f.replaced != nil {
			f.replaced(added, removed)
		}
	}
}

// noteSources notes who names which upstream, and who cannot be used.
func (f *follower) noteSources() {
	by := make(map[server.ID][]string)
	for _, i := range f.list.Inventory() {
		source := i.Source
		if source == "" {
			source = "Corefile"
		}
		for _, n := range i.Named {
			if n.Server.IsValid() && !slices.Contains(by[n.Server.ID], source) {
				by[n.Server.ID] = append(by[n.Server.ID], source)
			}
		}
	}
	f.toldBy.Store(&by)
	unusable := f.list.Unusable()
	f.unusable.Store(&unusable)
}

// LeftOut says why an upstream is not asked.
func LeftOut(s server.Server) string {
	return fmt.Sprintf("Upstream %s is left out: this server block itself listens there", s)
}

func namesOf(servers []server.Server) string {
	if len(servers) == 0 {
		return "none"
	}
	return strings.Join(textsOf(servers), ", ")
}

func textsOf(servers []server.Server) []string {
	list := make([]string, len(servers))
	for i, s := range servers {
		list[i] = s.String()
	}
	return list
}

// replace makes these the upstreams of a pool.
func replace(p *pool.Pool, servers []server.Server) (added, removed []server.Server) {
	came, gone := p.Replace(servers)
	for _, m := range gone {
		observerOf(m).release()
	}
	return serversOf(came), serversOf(gone)
}

func serversOf(members []*pool.Member) (list []server.Server) {
	for _, m := range members {
		list = append(list, m.Server)
	}
	return list
}

package handler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	clog "github.com/coredns/coredns/plugin/pkg/log"

	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

var log = clog.NewWithPlugin(Name)

// follower keeps the upstreams as a list of sources says.
type follower struct {
	list      *source.List
	listeners Listeners
	leftOut   []server.Server // of the list, because they are the server block itself
	some      chan struct{}   // closed once there are upstreams; nil: nothing is followed
	begun     time.Time       // when following began
	firstLook time.Duration   // after that, in which queries wait for upstreams if there are none

	mu      sync.Mutex // held while upstreams are replaced
	stop    func()     // ends the watching; nil: there is none
	stopped bool       // Stop was called
}

// Follow keeps the upstreams as list says whenever its sources change, until Stop. It
// must be called before the first query, and once.
// Upstreams that are listeners of the server block are left out. The list has been
// read once, for the handler's first upstreams, and is the handler's from now on.
//
// It starts with the first query, which does not wait for it: a file can hang, as
// on a mount whose server is gone. Before that query the handler may be one that
// CoreDNS gives up without a word, when something else of a new configuration
// fails; watches would be left behind.
func (h *Handler) Follow(list *source.List, listeners Listeners) {
	if len(list.Sources()) == 0 {
		return
	}
	reloadTime.SetToCurrentTime()
	h.follow.list, h.follow.listeners = list, listeners
	_, h.follow.leftOut = listeners.Drop(list.Servers())
	h.follow.some, h.follow.firstLook = make(chan struct{}), firstLook
	h.haveSome = sync.OnceFunc(func() { close(h.follow.some) })
	if len(h.cfg.Upstreams) > 0 {
		h.haveSome()
	}
	h.startFollowing = sync.OnceFunc(func() {
		h.follow.begun = time.Now()
		go h.watch()
	})
}

// firstLook is how long the first queries wait for upstreams, if there are none: what is
// known was perhaps read long ago, when the machine had no network yet.
const firstLook = 500 * time.Millisecond

// NoneKnown tells of a list that is empty as yet.
const NoneKnown = "No upstream is known yet, as on a machine without network; queries are answered with SERVFAIL until there is one"

// errNoneKnown is the error of queries meanwhile.
var errNoneKnown = errors.New("no upstream is known yet; 'explain --links' shows what the system knows, and what of it is left out")

// awaitSome reports whether there are upstreams, which it may wait for. Following has
// begun.
func (h *Handler) awaitSome(ctx context.Context) bool {
	if len(h.pool.Members()) > 0 {
		return true
	}
	if h.follow.some == nil {
		return false
	}
	left := time.NewTimer(time.Until(h.follow.begun.Add(h.follow.firstLook)))
	defer left.Stop()
	select {
	case <-h.follow.some:
	case <-left.C:
	case <-ctx.Done():
	}
	return len(h.pool.Members()) > 0
}

// watch starts to follow. The list is read at once, because it may have changed
// since it was read last.
func (h *Handler) watch() {
	stop, err := h.follow.list.Watch(h.reread)
	if err != nil {
		log.Warning(err)
	}
	h.follow.mu.Lock()
	defer h.follow.mu.Unlock()
	h.follow.stop = stop
	if h.follow.stopped {
		stop()
	}
}

// reread takes over what the files say now. It is called by one goroutine at a
// time.
func (h *Handler) reread() {
	f := &h.follow
	r := f.list.Read()
	for _, text := range r.Warnings {
		log.Warning(text)
	}
	for _, err := range r.Problems {
		log.Warningf("%v; until then its last upstreams stay", err)
		reloads.WithLabelValues("failure").Inc()
	}
	if n := len(r.Reloaded); n > 0 {
		reloads.WithLabelValues("success").Add(float64(n))
		reloadTime.SetToCurrentTime()
	}
	others, loops := f.listeners.Drop(f.list.Servers())
	for _, s := range loops {
		if !slices.ContainsFunc(f.leftOut, s.Equal) {
			log.Warning(LeftOut(s))
		}
	}
	f.leftOut = loops
	if len(others) == 0 {
		if len(r.Reloaded) > 0 && len(h.pool.Members()) > 0 {
			log.Warningf("%s: no upstream is left; the old ones stay", strings.Join(r.Reloaded, ", "))
		}
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return
	}
	added, removed := h.replace(others)
	h.haveSome()
	if len(added)+len(removed) > 0 {
		log.Infof("Upstreams are %s now; added: %s; removed: %s", words(others), words(added), words(removed))
	}
}

// LeftOut says why an upstream is not asked.
func LeftOut(s server.Server) string {
	return fmt.Sprintf("Upstream %s is left out: this server block itself listens there", s)
}

func words(servers []server.Server) string {
	if len(servers) == 0 {
		return "none"
	}
	list := make([]string, len(servers))
	for i, s := range servers {
		list[i] = s.String()
	}
	return strings.Join(list, ", ")
}

// replace makes these the upstreams.
func (h *Handler) replace(servers []server.Server) (added, removed []server.Server) {
	came, gone := h.pool.Replace(servers)
	for _, m := range gone {
		observerOf(m).forget()
	}
	return serversOf(came), serversOf(gone)
}

func serversOf(members []*pool.Member) (list []server.Server) {
	for _, m := range members {
		list = append(list, m.Server)
	}
	return list
}

// Stop ends the watching of sources and lets go of all sockets. Queries under way
// get their answers, and so do those that still come. It may be called more than
// once.
func (h *Handler) Stop() error {
	h.follow.mu.Lock()
	defer h.follow.mu.Unlock()
	if h.follow.stopped {
		return nil
	}
	h.follow.stopped = true
	if h.follow.stop != nil {
		h.follow.stop()
	}
	h.pool.Close()
	for _, m := range h.pool.Members() {
		observerOf(m).forget()
	}
	return nil
}

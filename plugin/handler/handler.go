// Package handler is dnsmus as CoreDNS sees it: a plugin.Handler that sends each
// query to all upstreams at once and writes the best reply. It is the only
// package below the setup that knows CoreDNS; package pool has the upstreams and
// asks them.
package handler

import (
	"sync/atomic"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/dnstap"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// Config is the content of a stanza.
type Config struct {
	Upstreams []server.Server // in the order of preference
	option.Values
}

// Handler is the plugin.
type Handler struct {
	Next plugin.Handler

	cfg     Config
	place   Place
	control *controlled // nil: there is no control socket
	pool    *pool.Pool
	follow  *follower // nil: the upstreams stay as they are
	taps    []*dnstap.Dnstap
	metrics servers
	clients atomic.Int64 // that wait for a race
	refuses overload     // there are more than max_concurrent
	differs limitedLog   // of zones in which answers differ
	stopped atomic.Bool
}

// New returns a handler, to be started.
func New(cfg Config) *Handler {
	h := &Handler{cfg: cfg}
	c := poolConfig(cfg.Values)
	h.hook(&c)
	h.pool = pool.New(c)
	return h
}

// hook has the pool tell the handler what is counted, remembered and shown.
func (h *Handler) hook(c *pool.Config) {
	c.Differ = h.noteConflict
	if h.cfg.Keeps() {
		c.LateReply, c.Watched = h.lateReply, h.watched
	}
	if !h.cfg.Control {
		return
	}
	c.Account, c.Over = h.account, h.over
	c.Observe = func(s server.Server) upstream.Observer {
		o := observe(s).(*observer)
		o.publish = h.publishState
		return o
	}
}

func poolConfig(v option.Values) pool.Config {
	return pool.Config{Values: v, Observe: observe, Ended: ended.Inc, Evicted: evicted.Inc, Late: func(err error) { log.Warning(err) }}
}

// SetTap has each leg shown to a dnstap plugin. It must not be called once there
// are queries.
func (h *Handler) SetTap(t *dnstap.Dnstap) { h.taps = append(h.taps, t) }

// SetPlace says where the handler's server block stands. It must not be called after Start.
func (h *Handler) SetPlace(p Place) { h.place = p }

// Start makes the first upstreams those that are asked. Sockets are opened by queries only, but for
// a few spare ones of the process. The error is why there is no control socket, though there should
// be one.
func (h *Handler) Start() error {
	if err := h.openControl(); err != nil {
		return err
	}
	ports.Reserve()
	ports.OnShort(func() {
		log.Warning("Too few file descriptors: server blocks share their ports to upstreams; raise the limit (ulimit -n, LimitNOFILE)")
	})
	replace(h.pool, h.cfg.Upstreams)
	if len(h.cfg.Upstreams) > 0 {
		log.Infof("Upstreams are %s", namesOf(h.cfg.Upstreams))
	}
	if h.cfg.Learns() {
		learning.add(h)
	}
	return nil
}

// Follow keeps the upstreams as list names them whenever its sources change, until Stop. It
// must be called before the first query, and once.
// Upstreams that are listeners of the server block are left out. The list has been
// read once, for the handler's first upstreams, and is the handler's from now on.
//
// It starts with the first query, which waits for what the sources name then, but not for
// long: a file can hang, as on a mount whose server is gone. Before that query the handler
// may be one that CoreDNS gives up without a word, when something else of a new
// configuration fails; watches would be left behind.
func (h *Handler) Follow(list *source.List, listeners Listeners) {
	if len(list.Sources()) == 0 {
		return
	}
	reloadTime.SetToCurrentTime()
	h.follow = newFollower(h.pool, list, listeners)
	h.follow.replaced = h.replaced
}

// Stop ends the watching of sources and closes the upstreams. Queries under way
// get their replies, and so do those that still come. It may be called more than
// once.
func (h *Handler) Stop() error {
	if h.stopped.Swap(true) {
		return nil
	}
	if h.follow != nil {
		h.follow.end()
	}
	h.pool.Close()
	h.control.close()
	learning.remove(h)
	for _, m := range h.pool.Members() {
		observerOf(m).release()
	}
	h.differs.flush()
	return nil
}

// replaced notes that there are other upstreams now.
func (h *Handler) replaced(added, removed []server.Server) {
	if h.control != nil {
		h.control.Replaced(textsOf(added), textsOf(removed))
	}
}

// Name implements plugin.Handler.
func (h *Handler) Name() string { return Name }

// Ready implements ready.Readiness: there are upstreams to ask. If there are none yet it
// begins to follow the sources, since queries may only come once it is ready.
func (h *Handler) Ready() bool {
	if len(h.pool.Members()) == 0 && h.follow != nil {
		h.follow.begin()
	}
	return len(h.pool.Members()) > 0
}

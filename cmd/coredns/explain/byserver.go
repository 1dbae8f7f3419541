package explain

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// byServer has a server do the asking.
func (c *command) byServer(ctx context.Context, cfg *config, s *client.Client) int {
	var state api.State
	if err := s.Get(ctx, api.Status, nil, &state); err != nil {
		c.complain("%v", err)
		return client.Status(err)
	}
	on, err := serving(state.Servers, cfg.server, cfg.questions[0].Name, client.Nameservers())
	if err != nil {
		c.complain("%v", err)
		return exitUsage
	}
	r := &theirRaces{client: s, server: on, questions: cfg.questions, views: make([]view, len(cfg.questions))}
	begun := time.Now()
	for i := range r.views {
		r.views[i] = view{live: true, begun: begun, Outcome: api.Outcome{Name: cfg.questions[i].Name, Type: dns.Type(cfg.questions[i].Qtype).String()}}
	}
	return c.tell(ctx, cfg, r, fmt.Sprintf("Asked by the server on %s, process %d, with what it has learned.%s", on, state.PID, before(state.Servers, on)))
}

// before says which plugins of a server block may answer clients before dnsmus is asked.
func before(blocks []api.Server, server string) string {
	for _, b := range blocks {
		if (b.Server == server || slices.Contains(b.Listens, server)) && len(b.Before) > 0 {
			return fmt.Sprintf(" Plugins before dnsmus in the server block (%s) were not asked.", strings.Join(b.Before, ", "))
		}
	}
	return ""
}

// theirRaces are held by a server, all at the same time.
type theirRaces struct {
	client    *client.Client
	server    string
	questions []dns.Question

	mu    sync.Mutex
	views []view
}

func (r *theirRaces) ask(ctx context.Context) ([]api.Outcome, error) {
	errs := make([]error, len(r.views))
	var asking sync.WaitGroup
	for i := range r.views {
		asking.Go(func() { errs[i] = r.askOne(ctx, i) })
	}
	asking.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, errs[slices.IndexFunc(errs, func(err error) bool { return err != nil })]
	}
	var outcomes []api.Outcome
	for _, v := range r.now() {
		outcomes = append(outcomes, v.Outcome)
	}
	return outcomes, nil
}

// askOne asks one question, and takes the lines of the reply. What is known when ctx ends is
// the outcome then.
func (r *theirRaces) askOne(ctx context.Context, i int) error {
	params := url.Values{api.ParamName: {r.questions[i].Name}, api.ParamType: {dns.Type(r.questions[i].Qtype).String()}}
	if r.server != "" {
		params.Set(api.ParamServer, r.server)
	}
	ended := false
	err := r.client.Lines(ctx, api.Explain, params, func(line []byte) error {
		var said api.Explained
		if err := client.Decode(line, &said); err != nil {
			return err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.views[i].take(&said)
		ended = ended || said.Event == api.LineOutcome
		return nil
	})
	switch {
	case ctx.Err() != nil && !ended:
		r.mu.Lock()
		defer r.mu.Unlock()
		r.views[i].interrupt()
		return nil
	case err == nil && !ended:
		return fmt.Errorf("the server at %s ended before it had an outcome", r.client.Path)
	}
	return err
}

func (r *theirRaces) now() []view {
	r.mu.Lock()
	defer r.mu.Unlock()
	views := slices.Clone(r.views)
	for i := range views {
		views[i].since = time.Since(views[i].begun)
		views[i].Upstreams = slices.Clone(views[i].Upstreams)
	}
	return views
}

package top

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

const (
	stateEvery = 2 * time.Second // the state of upstreams is asked for
	retryAfter = time.Second     // a connection that broke
)

// What a feed tells beside the types of package api, each of which it tells by a pointer.
type (
	begun   struct{}             // events come from now on
	broken  struct{ why string } // there is no connection; it is tried again
	refused struct{ why string } // the server does not take the request, so it is not tried again
)

// request is which events are asked for.
type request struct {
	server string // block
	filter string
}

// follow tells what a server says until ctx ends: its state, now and then, what it remembers, and
// what happens. When the connection ends, it makes another, perhaps to the next server.
func follow(ctx context.Context, c *client.Command, r request, tell func(any)) {
	for {
		err := followOnce(ctx, c, r, tell)
		if ctx.Err() != nil {
			return
		}
		var said *client.Error
		if r.filter != "" && errors.As(err, &said) && said.Status == client.ExitUsage {
			tell(refused{said.Text})
			return
		}
		why := "the server has ended"
		if err != nil {
			why = err.Error()
		}
		tell(broken{why})
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryAfter):
		}
	}
}

// followOnce returns when the connection has ended; without an error if the server has.
func followOnce(ctx context.Context, c *client.Command, r request, tell func(any)) error {
	s, state, err := c.Find(ctx)
	if err != nil {
		return err
	}
	tell(state)
	params := c.Params()
	if r.server != "" {
		params.Set(api.ParamServer, r.server)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	asking := make(chan struct{})
	defer func() { stop(); <-asking }()
	go func() {
		defer close(asking)
		askState(ctx, c, s, tell)
	}()
	params.Set(api.ParamFilter, r.filter)
	if err := remembered(ctx, s, params, tell); err != nil {
		return err
	}
	return s.Lines(ctx, api.Events, params, func(line []byte) error {
		event, err := decode(line)
		if err == nil && event != nil {
			tell(event)
		}
		return err
	})
}

// askState asks for the state until ctx ends. Errors are left to who reads events.
func askState(ctx context.Context, c *client.Command, s *client.Client, tell func(any)) {
	tick := time.NewTicker(stateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		state := new(api.State)
		if err := s.Get(ctx, api.Status, c.Params(), state); err == nil {
			tell(state)
		}
	}
}

// remembered tells what the server remembers, the oldest first.
func remembered(ctx context.Context, s *client.Client, params url.Values, tell func(any)) error {
	all, err := history(ctx, s, params)
	for i := len(all) - 1; i >= 0; i-- {
		tell(&all[i])
	}
	return err
}

// history is what the server remembers, the newest first.
func history(ctx context.Context, s *client.Client, params url.Values) (all []api.Remembered, err error) {
	err = s.Lines(ctx, api.History, params, func(line []byte) error {
		var r api.Remembered
		err := client.Decode(line, &r)
		all = append(all, r)
		return err
	})
	return all, err
}

// decode returns what an event is; nil: one of a newer server's.
func decode(line []byte) (any, error) {
	var kind api.Event
	if err := json.Unmarshal(line, &kind); err != nil {
		return nil, err
	}
	var event any
	switch kind.Event {
	case api.EventBegin:
		return begun{}, nil
	case api.EventRace:
		event = new(api.RaceEvent)
	case api.EventLate:
		event = new(api.LateEvent)
	case api.EventUpstream:
		event = new(api.UpstreamEvent)
	case api.EventList:
		event = new(api.ListEvent)
	case api.EventZone:
		event = new(api.ZoneEvent)
	case api.EventLost:
		event = new(api.LostEvent)
	case api.EventSampled:
		event = new(api.SampledEvent)
	default:
		return nil, nil
	}
	return event, client.Decode(line, event)
}

// find returns the server, and the parameters of a request to it.
func find(ctx context.Context, c *client.Command, r request) (*client.Client, url.Values, error) {
	s, _, err := c.Find(ctx)
	params := c.Params()
	if r.server != "" {
		params.Set(api.ParamServer, r.server)
	}
	return s, params, err
}

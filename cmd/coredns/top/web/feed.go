package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// again is after how long a connection that broke is made again.
const again = time.Second

// Kinds of lines that the page reads beside the server's events.
const (
	lineSearch  = "search"  // first: the system's search list
	lineState   = "state"   // of the server whose events follow
	lineBroken  = "broken"  // there is no connection; it is made again
	lineRefused = "refused" // last: the server does not take the filter
)

// line is one of them.
type line struct {
	Event   string     `json:"event"`
	Domains []string   `json:"domains,omitempty"`
	State   *api.State `json:"state,omitempty"`
	Block   string     `json:"block,omitempty"` // of several, whom programs of this system ask
	Why     string     `json:"why,omitempty"`
}

// feed is the reply that goes on.
type feed struct {
	w   io.Writer
	out *http.ResponseController
}

// events sends what happens until the page is gone. When a server ends, the next one's follow.
func (s *site) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	f := &feed{w: w, out: http.NewResponseController(w)}
	err := f.write(line{Event: lineSearch, Domains: client.SearchDomains()})
	for err == nil {
		why := s.follow(r.Context(), f, s.params(r))
		l := line{Event: lineBroken, Why: "the server has ended"}
		if why != nil {
			l.Why = why.Error()
		}
		if isWrong(why) {
			l.Event = lineRefused
			f.write(l)
			return
		}
		if err = f.write(l); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(again):
		}
	}
}

// follow sends a server's events until the connection ends; without an error, if the server has.
func (s *site) follow(ctx context.Context, f *feed, params url.Values) error {
	server, state, err := s.c.Find(ctx)
	if err != nil {
		return err
	}
	body, err := server.Body(ctx, api.Events, params)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := f.write(line{Event: lineState, State: state, Block: client.Block(state.Servers)}); err != nil {
		return err
	}
	var buffer [32 << 10]byte
	for {
		n, err := body.Read(buffer[:])
		if n > 0 {
			if err := f.send(buffer[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// write writes a line. What stood before it may have been cut off.
func (f *feed) write(l line) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return f.send(append(append([]byte{'\n'}, text...), '\n'))
}

func (f *feed) send(text []byte) error {
	if _, err := f.w.Write(text); err != nil {
		return err
	}
	return f.out.Flush()
}

// params are the request's, with the server block of the command line if it names none.
func (s *site) params(r *http.Request) url.Values {
	params := r.URL.Query()
	if block := s.c.Server(); block != "" && !params.Has(api.ParamServer) {
		params.Set(api.ParamServer, block)
	}
	return params
}

func isWrong(err error) bool {
	var said *client.Error
	return errors.As(err, &said) && said.Status == client.ExitUsage
}

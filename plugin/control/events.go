package control

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

const (
	// maxRate is how many races a second a reader is shown, of those that the filter wants. Of more, one of so many is: to put
	// one in words takes as long as a query.
	maxRate = 500
	// gather is how long what happens waits for more of it: so one system call writes many events.
	gather = 5 * time.Millisecond
)

func (s *Socket) events(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	wanted, err := parseFilter(q.Get(api.ParamFilter))
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	blocks := s.use(q.Get(api.ParamServer))
	if len(blocks) == 0 {
		fail(w, http.StatusNotFound, "there is no server %q; there are %s", q.Get(api.ParamServer), s.names())
		return
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		fail(w, http.StatusServiceUnavailable, "there are %d readers of events already; end one", maxStreams)
		return
	}
	defer s.begins(peer(r))()
	to := newStream(w, r, wanted)
	in := newReader()
	for _, b := range blocks { // a block that comes at a reload has the memory of the one before
		b.Memory.Events.add(in)
		defer b.Memory.Events.remove(in)
	}
	if to.write(now(api.EventBegin)) != nil {
		return
	}
	for {
		select {
		case <-in.news:
			time.Sleep(gather)
			all, lost := in.take()
			if to.writeAll(all, lost) != nil {
				return
			}
		case <-s.ending:
			all, lost := in.take()
			if to.writeAll(all, lost) == nil {
				to.write(now(api.EventEnd))
			}
			return
		case <-r.Context().Done():
			return
		}
	}
}

// now is an event that is nothing else.
func now(kind string) api.Event { return api.Event{Event: kind, At: time.Now().UTC()} }

// stream is a reply that goes on.
type stream struct {
	w      http.ResponseWriter
	out    *http.ResponseController
	sse    bool
	wanted filter
	line   bytes.Buffer

	second int64 // that races are counted in
	races  int   // in it
	oneOf  int   // so many races are shown; 1: all
}

func newStream(w http.ResponseWriter, r *http.Request, wanted filter) *stream {
	s := &stream{w: w, out: http.NewResponseController(w), wanted: wanted, oneOf: 1}
	s.out.SetReadDeadline(time.Time{})
	s.out.SetWriteDeadline(time.Time{})
	kind := "application/x-ndjson"
	if s.sse = strings.Contains(r.Header.Get("Accept"), "text/event-stream"); s.sse {
		kind = "text/event-stream"
	}
	w.Header().Set("Content-Type", kind)
	return s
}

// writeAll writes events.
func (s *stream) writeAll(all []event, lost int) error {
	if lost > 0 {
		if err := s.add(api.LostEvent{Event: now(api.EventLost), Events: lost}); err != nil {
			return err
		}
	}
	for i := range all {
		if err := s.one(&all[i]); err != nil {
			return err
		}
		all[i] = event{}
	}
	return s.out.Flush()
}

// one writes an event, if it is wanted.
func (s *stream) one(e *event) error {
	r := e.race
	switch {
	case r == nil:
		return s.add(e.is)
	case !s.wanted(&r.Facts):
		return nil
	}
	show, changed := s.sample(time.Now())
	if changed {
		if err := s.add(api.SampledEvent{Event: now(api.EventSampled), OneOf: s.oneOf}); err != nil {
			return err
		}
	}
	if !show {
		return nil
	}
	return s.add(r.Make())
}

// sample counts a race, and reports whether it is shown, and whether that of how many is has changed.
func (s *stream) sample(now time.Time) (show, changed bool) {
	if second := now.Unix(); second != s.second {
		oneOf := (s.races + maxRate - 1) / maxRate
		changed = max(1, oneOf) != s.oneOf
		s.second, s.races, s.oneOf = second, 0, max(1, oneOf)
	}
	s.races++
	return s.races%s.oneOf == 0, changed
}

func (s *stream) write(v any) error {
	if err := s.add(v); err != nil {
		return err
	}
	return s.out.Flush()
}

// add writes what may wait for others.
func (s *stream) add(v any) error {
	s.line.Reset()
	if s.sse {
		s.line.WriteString("data: ")
	}
	if err := write(&s.line, v); err != nil {
		return err
	}
	if s.sse {
		s.line.WriteByte('\n')
	}
	_, err := s.w.Write(s.line.Bytes())
	return err
}

package control

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// gather is how long what happens waits for more of it: so one system call writes many events.
const gather = 5 * time.Millisecond

func (s *Socket) events(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	blocks := s.meant(w, q.Get(api.ParamServer))
	if blocks == nil {
		return
	}
	upstreams := []string{}
	for _, b := range blocks {
		upstreams = append(upstreams, namesOf(b.Pool.Members())...)
	}
	wanted, err := parseFilter(q.Get(api.ParamFilter), upstreams)
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		fail(w, http.StatusServiceUnavailable, "there are %d readers of events already; end one", maxStreams)
		return
	}
	defer s.watching.begins(peer(r))()
	to := newStream(w, r)
	in := newReader(wanted)
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
	w    http.ResponseWriter
	out  *http.ResponseController
	sse  bool
	line bytes.Buffer
}

func newStream(w http.ResponseWriter, r *http.Request) *stream {
	s := &stream{w: w, out: http.NewResponseController(w)}
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
		is := all[i].is
		if all[i].race != nil {
			is = all[i].race()
		}
		if err := s.add(is); err != nil {
			return err
		}
		all[i] = event{}
	}
	return s.out.Flush()
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

package control

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// Bounds of what a socket serves.
const (
	maxHeader   = 16 << 10 // bytes
	maxBody     = 4 << 10
	maxConns    = 8
	maxStreams  = 4
	maxExplains = 10 // a second
	requestTime = 5 * time.Second
	replyTime   = 10 * time.Second
)

// newServer returns the server of a socket.
func (s *Socket) newServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+api.Status, takes(s.status, api.ParamServer))
	mux.HandleFunc("GET "+api.History, takes(s.history, api.ParamServer, api.ParamFilter, api.ParamName, api.ParamType))
	mux.HandleFunc("GET "+api.Zones, takes(s.zones, api.ParamServer, api.ParamZone))
	mux.HandleFunc("GET "+api.Explain, takes(s.explain, api.ParamServer, api.ParamName, api.ParamType))
	mux.HandleFunc("GET "+api.Events, takes(s.events, api.ParamServer, api.ParamFilter))
	mux.HandleFunc("POST "+api.Forget, takes(s.forget))
	mux.HandleFunc("POST "+api.Reach, takes(s.reach))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, "there is no %s here, or not for %s", r.URL.Path, r.Method)
	})
	return &http.Server{
		Handler:           guard(mux),
		ReadHeaderTimeout: requestTime, ReadTimeout: requestTime, IdleTimeout: requestTime,
		MaxHeaderBytes: maxHeader,
		ConnContext:    func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ErrorLog:       nobody,
	}
}

// takes refuses parameters that a request has no use for, such as misspelt ones.
func takes(next http.HandlerFunc, params ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for name := range r.URL.Query() {
			if !slices.Contains(params, name) {
				fail(w, http.StatusBadRequest, "%s takes no parameter %q; it takes %s", r.URL.Path, name, cmp.Or(strings.Join(params, ", "), "none"))
				return
			}
		}
		next(w, r)
	}
}

type connKey struct{}

// peer is the user at the other end of a request's connection; -1: unknown.
func peer(r *http.Request) int {
	if c, ok := r.Context().Value(connKey{}).(*conn); ok {
		return c.uid
	}
	return -1
}

// guard turns away what no command sends: a web page may make a browser ask, through a program that
// leads a port to the socket.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		foreign := r.Host != api.Host
		for name := range r.Header {
			foreign = foreign || name == "Origin" || strings.HasPrefix(name, "Sec-Fetch-")
		}
		c, _ := r.Context().Value(connKey{}).(*conn)
		switch {
		case foreign:
			fail(w, http.StatusForbidden, "this is not for browsers; the host of requests is %s", api.Host)
		case c != nil && c.tooMany:
			h.Set("Connection", "close")
			fail(w, http.StatusServiceUnavailable, "there are %d connections already; close one", maxConns)
		default:
			http.NewResponseController(w).SetWriteDeadline(time.Now().Add(replyTime))
			next.ServeHTTP(w, r)
		}
	})
}

// fail replies with an error.
func fail(w http.ResponseWriter, status int, format string, args ...any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	write(w, api.Error{Error: fmt.Sprintf(format, args...)})
}

// reply replies with one object.
func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	write(w, v)
}

// lines makes a reply one of JSON lines.
func lines(w http.ResponseWriter) { w.Header().Set("Content-Type", "application/x-ndjson") }

// write writes a line of JSON.
func write(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// body reads a request's object.
func body(r *http.Request, v any) error {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/json" {
		return errors.New("the content type is not application/json")
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return err
	case len(text) > maxBody:
		return fmt.Errorf("the body is longer than %d bytes", maxBody)
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.More() {
		return errors.New("there is more than one object")
	}
	return nil
}

// conns are the connections of a socket.
type conns struct {
	net.Listener
	open atomic.Int32
}

func newConns(l net.Listener) *conns { return &conns{Listener: l} }

// conn is one of them.
type conn struct {
	net.Conn
	uid     int
	tooMany bool
	of      *conns
	closed  atomic.Bool
}

// Accept implements net.Listener. What is far too much is closed at once.
func (cs *conns) Accept() (net.Conn, error) {
	for {
		c, err := cs.Listener.Accept()
		if err != nil {
			return nil, err
		}
		n := cs.open.Add(1)
		if n > 4*maxConns {
			cs.open.Add(-1)
			c.Close()
			continue
		}
		own := &conn{Conn: c, uid: -1, tooMany: n > maxConns, of: cs}
		if u, ok := c.(*net.UnixConn); ok {
			own.uid = uidOf(u)
		}
		return own, nil
	}
}

// Close implements net.Conn.
func (c *conn) Close() error {
	if !c.closed.Swap(true) {
		c.of.open.Add(-1)
	}
	return c.Conn.Close()
}

package control

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
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

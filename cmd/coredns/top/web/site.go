package web

import (
	"crypto/subtle"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

const (
	maxHeader = 16 << 10 // bytes of a request
	maxReply  = 8 << 20  // that are forwarded of one but events
)

var nobody = log.New(io.Discard, "", 0)

// site is what the process serves.
type site struct {
	host    string // that requests must name
	token   string // and that they must have
	c       *client.Command
	alone   time.Duration // that it waits for a page
	looking *presence
}

func newSite(host, token string, c *client.Command) *site {
	return &site{host: host, token: token, c: c, alone: alone}
}

// ServeHTTP implements http.Handler. The page itself holds nothing that is secret, so it needs no
// token, which browsers do not send. Whatever is not asked for by the page gets an empty 404, which
// tells nothing.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	switch {
	case r.Host != s.host || r.Method != http.MethodGet || s.foreign(r):
		w.WriteHeader(http.StatusNotFound)
	case r.URL.Path == "/":
		writePage(w)
	case !s.hasToken(r):
		w.WriteHeader(http.StatusNotFound)
	case r.URL.Path == api.Events:
		defer s.looking.begins()()
		s.events(w, r)
	case r.URL.Path == api.Status, r.URL.Path == api.Zones, r.URL.Path == api.History:
		defer s.looking.begins()()
		s.forward(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// foreign reports whether a request is another site's. To open the page is no secret, and what opens
// it may be a file.
func (s *site) foreign(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+s.host {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	return r.URL.Path != "/" || r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
}

func (s *site) hasToken(r *http.Request) bool {
	token, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return isBearer && subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) == 1
}

// forward has the server reply. Nothing but the parameters is forwarded.
func (s *site) forward(w http.ResponseWriter, r *http.Request) {
	server, _, err := s.c.Find(r.Context())
	var body io.ReadCloser
	if err == nil {
		body, err = server.Body(r.Context(), r.URL.Path, s.params(r))
	}
	if err != nil {
		http.Error(w, err.Error(), statusOf(err))
		return
	}
	defer body.Close()
	w.Header().Set("Content-Type", "application/x-ndjson")
	io.Copy(w, io.LimitReader(body, maxReply))
}

// statusOf is 400 if the page's request is wrong, and 503 if the server cannot be asked.
func statusOf(err error) int {
	if isWrong(err) {
		return http.StatusBadRequest
	}
	return http.StatusServiceUnavailable
}

package web

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// request asks a site as the page does, but for what change changes.
func request(t *testing.T, s *site, path string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if change != nil {
		change(r)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	reply, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply, string(body)
}

// events begins to read what a site tells.
func events(t *testing.T, s *site) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.host+api.Events, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	reply, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reply.Body.Close() })
	return reply
}

// Who is not the page gets an empty 404, and the server is not asked.
func TestOnlyThePageMayAsk(t *testing.T) {
	w := newWorld(all...)
	s := w.serve(t)
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	method := func(m string) func(*http.Request) { return func(r *http.Request) { r.Method = m } }
	for _, path := range []string{"/", api.Status, api.Zones, api.History} {
		if reply, body := request(t, s, path, nil); reply.StatusCode != http.StatusOK || body == "" && path == api.Status {
			t.Errorf("%s: %d %s", path, reply.StatusCode, body)
		}
	}
	w.change(func() { w.asked = nil })
	_, port, _ := net.SplitHostPort(s.host)
	for _, tc := range []struct {
		what, path string
		change     func(*http.Request)
	}{
		{"no token", api.Status, func(r *http.Request) { r.Header.Del("Authorization") }},
		{"another token", api.Status, header("Authorization", "Bearer "+newToken())},
		{"half a token", api.Status, header("Authorization", "Bearer "+s.token[:20])},
		{"an empty token", api.Status, header("Authorization", "Bearer ")},
		{"not a bearer's", api.Status, header("Authorization", s.token)},
		{"a token in a cookie", api.Status, func(r *http.Request) {
			r.Header.Del("Authorization")
			r.AddCookie(&http.Cookie{Name: "token", Value: s.token})
		}},
		{"a token as a parameter", api.Status + "?token=" + s.token, func(r *http.Request) { r.Header.Del("Authorization") }},
		{"no token, for events", api.Events, func(r *http.Request) { r.Header.Del("Authorization") }},
		{"localhost", api.Status, func(r *http.Request) { r.Host = "localhost:" + port }},
		{"no port", api.Status, func(r *http.Request) { r.Host = "127.0.0.1" }},
		{"a name that was rebound", "/", func(r *http.Request) { r.Host = "rebound.example:" + port }},
		{"from another origin", api.Status, header("Origin", "http://evil.example")},
		{"from a file", api.Status, header("Origin", "null")},
		{"from another port", api.Status, header("Origin", "http://127.0.0.1:1")},
		{"the page from another origin", "/", header("Origin", "http://evil.example")},
		{"cross-site", api.Status, header("Sec-Fetch-Site", "cross-site")},
		{"same-site", api.Status, header("Sec-Fetch-Site", "same-site")},
		{"the page as a script", "/", func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Sec-Fetch-Mode", "no-cors")
			r.Header.Set("Sec-Fetch-Dest", "script")
		}},
		{"the page in a frame", "/", func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
			r.Header.Set("Sec-Fetch-Dest", "iframe")
		}},
		{"POST", api.Status, method(http.MethodPost)},
		{"HEAD", "/", method(http.MethodHead)},
		{"OPTIONS", api.Status, method(http.MethodOptions)},
		{"forget", api.Forget, method(http.MethodPost)},
		{"explain", api.Explain + "?name=a.example", nil},
		{"forget by GET", api.Forget, nil},
		{"another path", "/favicon.ico", nil},
		{"a longer path", api.Status + "/", nil},
		{"a path with dots", "/x/.." + api.Status, nil},
		{"all versions", "/v2/status", nil},
	} {
		reply, body := request(t, s, tc.path, tc.change)
		if reply.StatusCode != http.StatusNotFound || body != "" || reply.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %q", tc.what, reply.StatusCode, body)
		}
	}
	w.change(func() {
		if len(w.asked) > 0 {
			t.Errorf("the server was asked %q", w.asked)
		}
	})
	reply, _ := request(t, s, "/", func(r *http.Request) { // as from the file that the browser is given
		r.Header.Del("Authorization")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Dest", "document")
	})
	if reply.StatusCode != http.StatusOK {
		t.Error(reply.Status)
	}
}

// Headers are bounded, and none is forwarded.
func TestForward(t *testing.T) {
	w := newWorld(all...)
	s := w.serve(t)
	if reply, _ := request(t, s, "/", func(r *http.Request) { r.Header.Set("X", strings.Repeat("x", 2*maxHeader)) }); reply.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Error(reply.Status)
	}
	_, body := request(t, s, api.History+"?filter=denied", func(r *http.Request) { r.Header.Set("Cookie", "a=b") })
	w.change(func() {
		if last := w.asked[len(w.asked)-1]; last != "GET /v1/history?filter=denied" || body != "" {
			t.Errorf("%s, %q", last, body)
		}
		for _, h := range w.headers {
			for name := range h {
				if name != "User-Agent" && name != "Accept-Encoding" && name != "Connection" {
					t.Errorf("the server got %s: %s", name, h.Get(name))
				}
			}
		}
		w.down = true
	})
	if reply, body := request(t, s, api.Status, nil); reply.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "no server answers at") {
		t.Errorf("%s %s", reply.Status, body)
	}
}

// Events go on when a server ends, with the next one's.
func TestEventsGoOn(t *testing.T) {
	w := newWorld(all...)
	s := w.serve(t)
	lines := bufio.NewScanner(events(t, s).Body)
	next := func(want string) (l struct {
		Event, Why string
		State      *api.State
	}) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == "" {
				continue
			}
			if err := json.Unmarshal(lines.Bytes(), &l); err != nil || l.Event != want {
				t.Fatalf("%s, %v, want %s", lines.Text(), err, want)
			}
			return l
		}
		t.Fatal(lines.Err())
		return l
	}
	next(lineSearch)
	if l := next(lineState); l.State.PID != 812 {
		t.Errorf("%+v", l)
	}
	next(api.EventBegin)
	w.tell(raced(1, "a.example.", "good", "good"))
	next(api.EventRace)
	w.change(func() { w.pid = 913 })
	w.send(nil)
	if l := next(lineBroken); l.Why != "the server has ended" {
		t.Errorf("%+v", l)
	}
	if l := next(lineState); l.State.PID != 913 {
		t.Errorf("%+v", l)
	}
	next(api.EventBegin)
}

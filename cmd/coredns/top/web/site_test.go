package web

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
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

// The page is small, each has a number of its own, and it asks nobody else.
func TestPageAlone(t *testing.T) {
	s := newWorld(all...).serve(t)
	reply, body := request(t, s, "/", nil)
	policy := reply.Header.Get("Content-Security-Policy")
	form := regexp.MustCompile(`^default-src 'none'; connect-src 'self'; script-src 'nonce-([A-Z2-7]{26})'; style-src 'nonce-([A-Z2-7]{26})'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'$`)
	nonce := form.FindStringSubmatch(policy)
	if nonce == nil || nonce[1] != nonce[2] || strings.Count(body, `nonce="`+nonce[1]+`"`) != 2 {
		t.Errorf("the policy is %s", policy)
	}
	if again, _ := request(t, s, "/", nil); again.Header.Get("Content-Security-Policy") == policy {
		t.Error("two pages have one number")
	}
	if len(body) > 40_000 {
		t.Errorf("the page has %d bytes", len(body))
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
		if reply.Header.Get(name) != want {
			t.Errorf("%s is %s", name, reply.Header.Get(name))
		}
	}
	if found := regexp.MustCompile(`(?i)innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|\son[a-z]+="|\bsrc=|href=|https?://[^w]|EventSource|localStorage|cookie`).FindAllString(body, -1); found != nil {
		t.Errorf("the page has %q", found)
	}
	if strings.Contains(body, s.token) {
		t.Error("the page tells the token")
	}
}

// Events go on when a server ends, with the next one's.
func TestEventsGoOn(t *testing.T) {
	w := newWorld(all...)
	s := w.serve(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.host+api.Events, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	reply, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	lines := bufio.NewScanner(reply.Body)
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

// The process ends when nobody has looked for a minute, and not while somebody looks.
func TestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := make(chan time.Time, 9)
		begin := time.Now()
		p := newPresence(alone, func() { left <- time.Now() })
		time.Sleep(59 * time.Second)
		first, second := p.begins(), p.begins()
		time.Sleep(time.Hour)
		first()
		time.Sleep(time.Hour)
		second()
		time.Sleep(59 * time.Second)
		p.begins()()
		if len(left) > 0 || p.end() {
			t.Fatal("it has ended while somebody looked")
		}
		p.begins()()
		if at := <-left; at.Sub(begin) != 2*time.Hour+59*time.Second+59*time.Second+time.Minute || !p.end() {
			t.Errorf("it has ended after %v", at.Sub(begin))
		}
	})
}

// A site ends with its presence.
func TestServeEnds(t *testing.T) {
	w := newWorld(all...)
	c, _ := w.command(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(l.Addr().String(), newToken(), c)
	s.alone = time.Millisecond
	if !s.serve(t.Context(), l) {
		t.Error("it does not say that nobody looked")
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the port is still open: %v", err)
	}
}

type writes func([]byte)

func (w writes) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}

// The address that is written has the token and the filter; the person can end all with Ctrl-C.
func TestServe(t *testing.T) {
	w := newWorld(all...)
	c, out := w.command(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan int)
	address := make(chan string, 1)
	c.Out.Writer = writes(func(b []byte) { out.Write(b); address <- string(b) })
	go func() { done <- Serve(ctx, c, "corp.example !AAAA", false) }()
	form := regexp.MustCompile(`^http://(127\.0\.0\.1:[0-9]+)/#([A-Za-z0-9_-]{43})&corp\.example%20%21AAAA\n$`)
	parts := form.FindStringSubmatch(<-address)
	if parts == nil {
		t.Fatal(out)
	}
	s := &site{host: parts[1], token: parts[2]}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.host+api.Events, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	reply, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	testkit.Eventually(t, func() error {
		if n := w.watched(); n != 1 {
			return fmt.Errorf("%d watch", n)
		}
		return nil
	})
	stop()
	if status := <-done; status != 0 {
		t.Error(status)
	}
	io.Copy(io.Discard, reply.Body) // ends
}

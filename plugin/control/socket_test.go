package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// silentHooks are told, and say nothing.
var silentHooks = Hooks{Logf: func(string, ...any) {}, Watchers: func(int) {}}

// block is a block of a pool without upstreams.
func block(s *Socket, name string, v option.Values) *Block {
	v.Control = true
	b := &Block{
		Name: name, Listens: []string{name}, Zones: []string{"."}, Values: &v, Pool: pool.New(pool.Config{Values: v}),
		ToldBy: func(server.Server) []string { return []string{"Corefile"} }, Memory: s.Memory(name, 100, false),
	}
	return b
}

// opened is a socket with one block.
func opened(t *testing.T) (*Socket, *Block) {
	t.Helper()
	s, err := Open(filepath.Join(testkit.SocketDir(t), "control"), silentHooks)
	if err != nil {
		t.Fatal(err)
	}
	b := block(s, "127.0.0.1:53", option.Default())
	leave := s.Join(b)
	t.Cleanup(func() { leave(); s.Release(); b.Pool.Close() })
	return s, b
}

// clientOf asks over a socket.
func clientOf(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
		DisableKeepAlives: true,
	}}
}

// ask returns the status and the body of a reply.
func ask(t *testing.T, path string, r *http.Request) (int, string) {
	t.Helper()
	resp, err := clientOf(path).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func get(t *testing.T, path, what string) (int, string) {
	t.Helper()
	r, err := http.NewRequest("GET", "http://"+api.Host+what, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ask(t, path, r)
}

// R25: a socket is made for its user and group alone, and removed at its end.
func TestR25Mode(t *testing.T) {
	s, _ := opened(t)
	info, err := os.Lstat(s.Path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != fs.ModeSocket|0o660 {
		t.Error(info.Mode())
	}
	status, text := get(t, s.Path, api.Status)
	var state api.State
	if err := json.Unmarshal([]byte(text), &state); err != nil || status != 200 || state.PID != os.Getpid() || len(state.Servers) != 1 {
		t.Errorf("%d %v %s", status, err, text)
	}
}

// Those who name one path share it, until the last is gone. What is remembered of a block outlives
// a reload.
func TestShared(t *testing.T) {
	path := filepath.Join(testkit.SocketDir(t), "control")
	open := func() *Socket {
		s, err := Open(path, silentHooks)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first, second := open(), open()
	if first != second {
		t.Error("there are two")
	}
	old, other := block(first, "127.0.0.1:53", option.Default()), block(first, "127.0.0.1:54", option.Default())
	leaveOld, leaveOther := first.Join(old), first.Join(other)
	memory := old.Memory
	now := block(open(), "127.0.0.1:53", option.Default()) // a reload
	leaveNow := first.Join(now)
	leaveOld()
	first.Release()
	if now.Memory != memory {
		t.Error("a reload has forgotten")
	}
	if got := first.use(""); len(got) != 2 || got[0] != other || got[1] != now {
		t.Errorf("%v", got)
	}
	if got := first.use("127.0.0.1:54"); len(got) != 1 || got[0] != other {
		t.Errorf("%v", got)
	}
	leaveOther()
	second.Release()
	leaveNow()
	if status, _ := get(t, path, api.Status); status != 200 {
		t.Error(status)
	}
	first.Release()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is there still: %v", err)
	}
}

// A socket that the next process has made in the place of this one's stays.
func TestNextSocket(t *testing.T) {
	path := filepath.Join(testkit.SocketDir(t), "control")
	s, err := Open(path, silentHooks)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	left(t, path, 0)
	s.Release()
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

// left makes a socket that a killed process has left, some time ago.
func left(t *testing.T, path string, ago time.Duration) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(-ago)); err != nil {
		t.Fatal(err)
	}
}

// Of a user's sockets those that killed processes have left are removed, and no other.
func TestRemoveLeft(t *testing.T) {
	dir := testkit.SocketDir(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	left(t, in("old"), time.Hour)
	left(t, in("new"), time.Second)
	l, err := net.Listen("unix", in("used"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, name := range []string{"used", "file"} {
		if name == "file" {
			if err := os.WriteFile(in(name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(in(name), time.Time{}, time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	RemoveLeft(in("mine"))
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range all {
		names = append(names, entry.Name())
	}
	if got := strings.Join(names, " "); got != "file new used" {
		t.Errorf("there are %s", got)
	}
}

// A socket that a killed process has left is replaced.
func TestStale(t *testing.T) {
	path := filepath.Join(testkit.SocketDir(t), "control")
	left(t, path, 0)
	s, err := Open(path, silentHooks)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	if status, _ := get(t, path, api.Status); status != 200 {
		t.Error(status)
	}
}

// R25: what a browser sends is turned away, and so is what acts without a POST of JSON.
func TestR25Foreign(t *testing.T) {
	s, _ := opened(t)
	for _, tc := range []struct {
		method, path, host, header, value, body string
		want                                    int
	}{
		{"GET", api.Status, "", "", "", "", 200},
		{"GET", api.Status, "localhost", "", "", "", 403},
		{"GET", api.Status, "dnsmus:80", "", "", "", 403},
		{"GET", api.Status, "attacker.example", "", "", "", 403},
		{"GET", api.Status, "", "Origin", "http://attacker.example", "", 403},
		{"GET", api.Status, "", "Origin", "null", "", 403},
		{"GET", api.Status, "", "Sec-Fetch-Mode", "no-cors", "", 403},
		{"GET", api.Events, "", "Sec-Fetch-Site", "cross-site", "", 403},
		{"GET", "/", "", "", "", "", 404},
		{"GET", "/v2/status", "", "", "", "", 404},
		{"DELETE", api.Status, "", "", "", "", 404},
		{"GET", api.Forget, "", "", "", "", 404},
		{"POST", api.Forget, "", "Content-Type", "text/plain", `{"all":true}`, 400},
		{"POST", api.Forget, "", "", "", `{"all":true}`, 400},
		{"POST", api.Forget, "", "Content-Type", "application/json", `{"all":true}`, 200},
		{"POST", api.Forget, "", "Content-Type", "application/json; charset=utf-8", `{"name":"a.example"}`, 200},
		{"POST", api.Forget, "", "Content-Type", "application/json", `{"all":true,"name":"a."}`, 400},
		{"POST", api.Forget, "", "Content-Type", "application/json", `{}`, 400},
		{"POST", api.Forget, "", "Content-Type", "application/json", `{"every":true}`, 400},
		{"POST", api.Forget, "", "Content-Type", "application/json", `{"all":true}{"all":true}`, 400},
		{"POST", api.Forget, "", "Content-Type", "application/json", `{"name":"a..b"}`, 400},
		{"POST", api.Forget, "", "Content-Type", "application/json", `{"upstream":"192.0.2.1"}`, 404},
		{"POST", api.Forget, "", "Content-Type", "application/json", `{"name":"` + strings.Repeat("a", maxBody) + `"}`, 400},
		{"GET", api.History + "?filter=asked:nobody", "", "", "", "", 400},
		{"GET", api.History + "?filter=%3E500", "", "", "", "", 400},
		{"GET", api.History + "?name=a..b", "", "", "", "", 400},
		{"GET", api.Zones + "?zone=a..b", "", "", "", "", 400},
		{"GET", api.Explain, "", "", "", "", 400},
		{"GET", api.Explain + "?name=a.example&type=AXFR", "", "", "", "", 400},
		{"GET", api.Explain + "?name=a.example&type=NONE_SUCH", "", "", "", "", 400},
		{"GET", api.Explain + "?name=a.example&server=192.0.2.1:53", "", "", "", "", 404},
		{"GET", api.Status + "?server=192.0.2.1:53", "", "", "", "", 404},
		{"GET", api.History + "?server=192.0.2.1:53", "", "", "", "", 404},
		{"GET", api.Zones + "?server=192.0.2.1:53", "", "", "", "", 404},
		{"GET", api.Events + "?server=192.0.2.1:53", "", "", "", "", 404},
		{"GET", api.History + "?server=127.0.0.1:53&filter=denied", "", "", "", "", 200},
		{"GET", api.History + "?fliter=denied", "", "", "", "", 400},
		{"GET", api.Status + "?name=a.example", "", "", "", "", 400},
	} {
		r, err := http.NewRequest(tc.method, "http://"+api.Host+tc.path, strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		if tc.host != "" {
			r.Host = tc.host
		}
		if tc.header != "" {
			r.Header.Set(tc.header, tc.value)
		}
		status, text := ask(t, s.Path, r)
		if status != tc.want {
			t.Errorf("%+v: %d %s", tc, status, text)
		}
		var failure api.Error
		if status >= 400 && (json.Unmarshal([]byte(text), &failure) != nil || failure.Error == "") {
			t.Errorf("%+v: there is no error in %s", tc, text)
		}
	}
}

// R25: a header that is too long is refused, and a request that takes long is given up.
func TestR25Bounds(t *testing.T) {
	s, _ := opened(t)
	r, err := http.NewRequest("GET", "http://"+api.Host+api.Status, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Long", strings.Repeat("a", maxHeader+8<<10))
	// Without an answer the connection was closed before all of it was read.
	if resp, err := clientOf(s.Path).Do(r); err == nil && resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Error(resp.Status)
	}
	if v := s.server; v.ReadHeaderTimeout != 5*time.Second || v.ReadTimeout != 5*time.Second || v.IdleTimeout != 5*time.Second {
		t.Error("requests may take long")
	}
	var all []net.Conn
	for range maxConns { // that ask nothing
		c, err := net.Dial("unix", s.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		all = append(all, c)
	}
	if status, text := get(t, s.Path, api.Status); status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", status, text)
	}
	for _, c := range all {
		c.Close()
	}
	for status := 0; status != 200; { // as soon as the server has noticed
		status, _ = get(t, s.Path, api.Status)
	}
}

// Of two server blocks at one address the one of that name is explained; without a name either may be meant.
func TestExplainBlock(t *testing.T) {
	s, b := opened(t)
	other := block(s, b.Name+"/corp.example.", option.Default())
	other.Listens = b.Listens
	leave := s.Join(other)
	t.Cleanup(func() { leave(); other.Pool.Close() })
	const what = api.Explain + "?name=x.onion"
	for _, name := range []string{b.Name, other.Name} {
		if status, text := get(t, s.Path, what+"&server="+name); status != 200 {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if status, text := get(t, s.Path, what); status != 404 || !strings.Contains(text, b.Name+" and "+other.Name+"; say which") {
		t.Errorf("%d %s", status, text)
	}
}

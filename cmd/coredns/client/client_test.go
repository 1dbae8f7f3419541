package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

func TestMain(m *testing.M) { testkit.MainNoLeaks(m) }

// listening is a server with a block that listens there.
func listening(pid int, listens ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != api.Host || r.URL.Path != api.Status {
			http.Error(w, "", http.StatusNotFound)
			return
		}
		json.NewEncoder(w).Encode(api.State{PID: pid, Servers: []api.Server{{Server: listens[0], Listens: listens}}})
	})
}

// The server that is meant is found among sockets, some of which nobody answers at.
func TestFind(t *testing.T) {
	one, two := testkit.Socket(t, listening(1, "127.0.0.123:53")), testkit.Socket(t, listening(2, "127.0.0.1:5553", ":53"))
	stale := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", stale)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	nobody := filepath.Join(t.TempDir(), "*")
	for _, tc := range []struct {
		what   string
		places []string
		addrs  []string
		none   string
		found  string
		err    string
	}{
		{"none", []string{nobody}, nil, several, "", "no running dnsmus was found"},
		{"one", []string{nobody, one}, nil, several, one, ""},
		{"one, and one that is stale", []string{stale, one}, nil, several, one, ""},
		{"only one that is stale", []string{stale}, nil, several, "", "no running dnsmus was found"},
		{"the one that the system asks", []string{one, two}, []string{"192.0.2.1:53", "127.0.0.123:53"}, several, one, ""},
		{"the one with a block", []string{one, two}, []string{"127.0.0.1:5553"}, several, two, ""},
		{"the system asks another", []string{one, two}, []string{"192.0.2.1:53"}, several, "", "several servers run; say which one is meant:\n  -s " + one + "    process 1, on 127.0.0.123:53\n  -s " + two + "    process 2, on 127.0.0.1:5553 and :53"},
		{"none has the block that is named", []string{one, two}, []string{"192.0.2.1:53"}, "none listens on 192.0.2.1:53", "", "none listens on 192.0.2.1:53; say which one is meant:\n  -s " + one},
		{"two have it", []string{one, one}, []string{"127.0.0.123:53"}, "none listens there", "", "several servers run; say which one is meant:\n  -s " + one},
	} {
		c, err := find(t.Context(), tc.places, tc.addrs, tc.none)
		switch {
		case tc.found != "" && (err != nil || c.Path != tc.found):
			t.Errorf("%s: %+v, %v, want %s", tc.what, c, err, tc.found)
		case tc.found == "" && (err == nil || !strings.HasPrefix(err.Error(), tc.err) || Status(err) != ExitUnavailable):
			t.Errorf("%s: %v, want %s", tc.what, err, tc.err)
		}
	}

	// One that is named is taken, and no other.
	if c, err := Find(t.Context(), two, ""); err != nil || c.Path != two {
		t.Errorf("%v", err)
	}
	t.Setenv(Variable, one)
	if c, err := Find(t.Context(), "", ""); err != nil || c.Path != one {
		t.Errorf("%v", err)
	}
	for path, want := range map[string]string{stale: "no server answers at " + stale + ": connect: connection refused", nobody: "there is no socket at " + nobody} {
		if _, err := Find(t.Context(), path, ""); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// Who may not use a socket is told what to do.
func TestNoRights(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no modes")
	}
	c := at("/run/dnsmus/control")
	err := c.unreachable(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", os.ErrPermission)})
	if Status(err) != ExitNoRights || !strings.HasPrefix(err.Error(), "permission denied on /run/dnsmus/control: run it with sudo") {
		t.Error(err)
	}
	if os.Getuid() == 0 {
		return // root may use all
	}
	path := testkit.Socket(t, listening(1, ":53"))
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := find(t.Context(), []string{path}, nil, ""); Status(err) != ExitNoRights || !strings.Contains(err.Error(), "or join the group ") {
		t.Error(err)
	}
}

// What the server says is wrong is told in its words; one that does not know a request is older.
func TestRefused(t *testing.T) {
	path := testkit.Socket(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/refused":
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"error":"bad\u001b[2J filter"}`)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		case "/junk":
			io.WriteString(w, "junk")
		case "/cut":
			io.WriteString(w, "{}\n{}\n")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	c := at(path)
	for request, want := range map[string]string{
		"/refused": "bad?[2J filter", "/broken": "says 500", "/junk": "does not understand", "/else": "older than this command",
	} {
		var into struct{}
		if err := c.Get(t.Context(), request, nil, &into); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", request, err, want)
		}
	}
	lines := 0
	err := c.Lines(t.Context(), "/cut", nil, func([]byte) error { lines++; return nil })
	if err == nil || !strings.Contains(err.Error(), "broke") || lines != 2 {
		t.Errorf("%d lines, %v", lines, err)
	}
}

// A stream is read as it comes, and ends with the context or when it is told to.
func TestLines(t *testing.T) {
	path := testkit.Socket(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for n := 0; r.Context().Err() == nil; n++ {
			fmt.Fprintf(w, "{\"n\":%d}\n\n", n)
			w.(http.Flusher).Flush()
			time.Sleep(time.Millisecond)
		}
	}))
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := at(path).Lines(ctx, "/", nil, func([]byte) error {
		if n++; n == 5 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || n < 5 {
		t.Errorf("%d lines, %v", n, err)
	}
	enough := errors.New("enough")
	if err := at(path).Lines(t.Context(), "/", nil, func([]byte) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
}

func TestSafe(t *testing.T) {
	const line = `{"name":"\u001b[2J\u202eevil","list":["\u0007"],"map":null,"inner":{"why":"a\u0000b"},"at":"2026-11-30T12:00:00Z"}`
	var into struct {
		Name  string
		List  []string
		Inner *struct{ Why string }
		At    time.Time
	}
	if err := Decode([]byte(line), &into); err != nil || into.Name != "?[2J?evil" || into.List[0] != "?" || into.Inner.Why != "a?b" || into.At.IsZero() {
		t.Errorf("%+v, %v", into, err)
	}
	for in, want := range map[string]string{
		`{"a":"b"}`:                              `{"a":"b"}`,
		"{\"a\":\t\"\x7f\"}":                     `{"a": "\u007f"}`,
		`"` + "\u202e\U0001f642\u009b\xff" + `"`: `"\u202e\ud83d\ude42\u009b\ufffd"`,
	} {
		got := SafeJSON([]byte(in))
		var a, b any
		if string(got) != want || json.Unmarshal([]byte(in), &a) == nil && (json.Unmarshal(got, &b) != nil || fmt.Sprint(a) != fmt.Sprint(b)) {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func FuzzSafeJSON(f *testing.F) {
	f.Add(`{"name":"\u001b[2J"}`)
	f.Fuzz(func(t *testing.T, in string) {
		for _, c := range SafeJSON([]byte(in)) {
			if c < ' ' || c > '~' {
				t.Fatalf("%q holds %q", in, c)
			}
		}
		var into api.RaceEvent
		if Decode([]byte(in), &into) == nil {
			testkit.Shown(t, into.Name+into.Rcode, 80)
		}
	})
}

func TestVerdict(t *testing.T) {
	away, proven := "away", "proven"
	for _, tc := range []struct {
		o    api.Outcome
		want int
	}{
		{api.Outcome{Verdict: "good"}, 0}, {api.Outcome{Verdict: "cname"}, 0}, {api.Outcome{Verdict: "nodata"}, 1},
		{api.Outcome{Verdict: "nxdomain"}, 2}, {api.Outcome{Verdict: "nxdomain", Changed: &away}, 3}, {api.Outcome{Verdict: "nxdomain", Changed: &proven}, 1},
		{api.Outcome{Verdict: "servfail"}, 3}, {api.Outcome{Verdict: "none"}, 3}, {api.Outcome{Verdict: "bogus"}, 3},
	} {
		if got := Verdict(&tc.o); got != tc.want {
			t.Errorf("%+v: %d, want %d", tc.o, got, tc.want)
		}
	}
}

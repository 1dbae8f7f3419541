//go:build linux

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// overSocket asks a control socket, which is the same in all network namespaces.
func overSocket(t *testing.T, socket, path string) *http.Response {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	ctx, cancel := context.WithTimeout(t.Context(), patience/4) // or a test that reads events would not end
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", "http://dnsmus"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// told is what a control socket tells, line by line.
func told[T any](t *testing.T, socket, path string) (all []T) {
	t.Helper()
	for d := json.NewDecoder(overSocket(t, socket, path).Body); d.More(); {
		var v T
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// upstreamsOf are those of a socket's only server block.
func upstreamsOf(t *testing.T, socket string) []api.Upstream {
	t.Helper()
	return told[api.State](t, socket, api.Status)[0].Servers[0].Upstreams
}

// R25: who reads events sees a link go and come back, and queries over a reload; what is remembered
// says what became of a name meanwhile, and why.
func TestR25Link(t *testing.T) {
	const ask = "@127.0.0.1 -p 5553 "
	l, _ := vpns(t)
	socket := filepath.Join(testkit.SocketDir(t), "control")
	p := l.coredns(`.:5553 {
		bind 127.0.0.1
		dnsmus 10.0.0.53%tun0 10.0.0.53%tun1 {
			control ` + socket + `
			learn
		}
		errors
	}`).awaits(ask + "www.zone0.example").awaits(ask + "www.zone1.example")
	lines := bufio.NewScanner(overSocket(t, socket, api.Events).Body)
	lines.Buffer(nil, 1<<20)
	type anEvent struct {
		Event, Name, Upstream, State, Why string
		At                                time.Time
	}
	await := func(what string, is func(anEvent) bool) (e anEvent) {
		t.Helper()
		for lines.Scan() {
			e = anEvent{}
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Fatal(err)
			}
			if is(e) {
				return e
			}
		}
		t.Fatalf("%s is not told: %v", what, lines.Err())
		return e
	}
	l.run("ip", "link", "set", "tun1", "down")
	gone := await("that the link is gone", func(e anEvent) bool { return e.Upstream == "[10.0.0.53%tun1]:53" && e.State == "gone" })
	if r := l.ask(ask + "mail.zone1.example"); r.status != "NXDOMAIN" {
		t.Fatal(r.text)
	}
	all := told[api.Remembered](t, socket, api.History+"?name=mail.zone1.example&type=A")
	if len(all) != 1 || all[0].Why.Kind != api.WhyGone || !strings.Contains(all[0].Why.Text, "[10.0.0.53%tun1]:53 alone has answered in zone1.example.") {
		t.Errorf("%+v", all)
	}
	if u := upstreamsOf(t, socket); u[0].State != "up" || u[1].State != "gone" || u[1].Link == nil || *u[1].Link != "tun1" || !strings.Contains(u[1].About, "tun1 is down or missing") {
		t.Errorf("%+v", u)
	}
	l.run("ip", "link", "set", "tun1", "up")
	back := await("that the link is back", func(e anEvent) bool { return e.Upstream == "[10.0.0.53%tun1]:53" && e.State == "up" })
	if !back.At.After(gone.At) {
		t.Errorf("gone at %v, back at %v", gone.At, back.At)
	}
	p.awaits(ask + "mail.zone1.example")

	file := filepath.Join(l.dir, "Corefile")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, "# another\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGUSR1)
	l.eventually(func() error {
		if !strings.Contains(p.Printed(), "Reloading complete") {
			return fmt.Errorf("it has not reloaded")
		}
		return nil
	})
	p.awaits(ask + "after.zone0.example")
	await("a query after the reload", func(e anEvent) bool { return e.Event == api.EventRace && e.Name == "after.zone0.example." })
	// The answer is remembered, too, if it took long.
	all = told[api.Remembered](t, socket, api.History+"?name=mail.zone1.example&type=A")
	if !slices.ContainsFunc(all, func(r api.Remembered) bool { return r.Race.Verdict == "nxdomain" }) {
		t.Errorf("after the reload there is %+v", all)
	}
}

// R25: a control socket opens no port; other users are refused by its mode, and its group is let
// in; a page behind a browser is turned away, also when another program leads a port to the socket;
// a killed server's socket is replaced, and one that ends tells those who read.
func TestR25Socket(t *testing.T) {
	l := newLab(t, "socat", "ss", "setpriv", "curl")
	dir := testkit.SocketDir(t)
	socket := filepath.Join(dir, "control")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	corefile := func(port int) string {
		return fmt.Sprintf(".:%d {\nbind 127.0.0.1\ndnsmus 127.0.0.1:5398 {\ncontrol %s\n}\n}\n", port, socket)
	}
	listens := func() string {
		return l.run("ss", "-ltnupH")
	}
	plain := l.coredns(".:5553 {\nbind 127.0.0.1\ndnsmus 127.0.0.1:5398\n}\n")
	l.eventually(func() error {
		if strings.Count(listens(), "127.0.0.1:5553") < 2 {
			return fmt.Errorf("it does not listen: %s", listens())
		}
		return nil
	})
	without := strings.Count(listens(), "\n")
	plain.Kill()
	l.eventually(func() error {
		if listens() != "" {
			return fmt.Errorf("it is there still")
		}
		return nil
	})
	p := l.coredns(corefile(5553))
	reaches := func() error {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return err
	}
	l.eventually(reaches)
	l.eventually(func() error {
		if with := strings.Count(listens(), "\n"); with != without {
			return fmt.Errorf("%d sockets listen, without control %d: %s", with, without, listens())
		}
		return nil
	})

	curl := []string{"curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", socket, "http://dnsmus" + api.Status}
	as := func(who ...string) string {
		out, _ := l.output(append(append([]string{"setpriv"}, who...), curl...)...)
		return out
	}
	if got := as("--reuid=12345", "--regid=12345", "--clear-groups"); got != "000" {
		t.Errorf("a stranger gets %s", got)
	}
	if got := as("--reuid=12345", "--regid=12345", "--groups=0"); got != "200" {
		t.Errorf("who is in the group gets %s", got)
	}

	l.start("socat", "TCP-LISTEN:8080,bind=127.0.0.1,fork,reuseaddr", "UNIX-CONNECT:"+socket)
	l.eventually(func() error {
		if !strings.Contains(listens(), ":8080") {
			return fmt.Errorf("socat does not listen")
		}
		return nil
	})
	for args, want := range map[string]string{
		"-H Host:dnsmus": "200", "": "403", "-H Host:attacker.example": "403", "-H Host:dnsmus -H Origin:http://attacker.example": "403",
		"-H Host:dnsmus -H Sec-Fetch-Site:cross-site": "403",
	} {
		out := l.run(append(append([]string{"curl", "-s", "-o", "/dev/null", "-w", "%{http_code}"}, strings.Fields(args)...), "http://127.0.0.1:8080"+api.Status)...)
		if out != want {
			t.Errorf("curl %s: %s, want %s", args, out, want)
		}
	}

	p.Kill()
	if _, err := os.Lstat(socket); err != nil {
		t.Fatalf("a killed server's socket is gone: %v", err)
	}
	next := l.coredns(corefile(5554))
	l.eventually(reaches)
	resp := overSocket(t, socket, api.Events)
	lines := bufio.NewScanner(resp.Body)
	if !lines.Scan() || !strings.Contains(lines.Text(), api.EventBegin) {
		t.Fatalf("%s", lines.Text())
	}
	l.eventually(func() error {
		if watches := fmt.Sprintf("User %d begins to watch queries over %s", os.Getuid(), socket); !strings.Contains(next.Printed(), watches) {
			return fmt.Errorf("the log does not say %q:\n%s", watches, next.Printed())
		}
		return nil
	})
	next.Signal(syscall.SIGTERM)
	ended := false
	for lines.Scan() {
		ended = strings.Contains(lines.Text(), `"event":"end"`)
	}
	if !ended {
		t.Error("the end is not told")
	}
	<-next.Done()
	if _, err := os.Lstat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket is there still: %v", err)
	}

	// Another process does not take the socket of one that runs.
	first := l.coredns(corefile(5553))
	l.eventually(reaches)
	out, err := l.output(testkit.Binary(t), "-conf", l.write("second", corefile(5555)))
	if err == nil || !strings.Contains(out, "another program answers there") {
		t.Errorf("%v: %s", err, out)
	}
	first.Signal(syscall.SIGTERM)
	<-first.Done()
}

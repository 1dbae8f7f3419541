//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// What is written fits the terminal, and colours mean nothing by themselves.
func TestTerminals(t *testing.T) {
	l := newLab(t)
	l.fake("127.0.0.11", answerIn("corp.example.", "10.1.0.10"))
	l.told("127.0.0.11 127.0.0.99 tls://127.0.0.98%dns.company.example", "timeout 2s").awaits("@127.0.0.1 wiki.corp.example")
	l.ask("@127.0.0.1 nobody.example")
	if _, out := l.says("status", "--short"); !strings.Contains(out, "127.0.0.99:53 failing") {
		t.Errorf("a closed port is %s", out)
	}
	for _, args := range [][]string{{"status"}, {"status", "127.0.0.99"}, {"why", "nobody.example"}, {"zones"}, {"explain", "nobody.example"}} {
		for _, columns := range []uint16{60, 80, 120} {
			plain := l.onTerminal(columns, []string{"NO_COLOR=1", "LANG=C"}, args...)
			painted := l.onTerminal(columns, nil, args...)
			for line := range strings.Lines(testkit.Shown(t, plain, 1000)) {
				if line = strings.TrimSuffix(line, "\n"); len(line) > int(columns) {
					t.Errorf("%v: %d columns: %q", args, len(line), line)
				}
			}
			if strings.Contains(plain, "\x1b[3") || strings.Contains(plain, "\x1b[1m") {
				t.Errorf("%v: colours, though NO_COLOR is set: %q", args, plain)
			}
			if !strings.Contains(painted, "\x1b[1m") {
				t.Errorf("%v: no colours: %q", args, painted)
			}
			testkit.Shown(t, painted, 1000)
		}
	}
}

// Of several servers none is asked that was not named.
func TestSeveralServers(t *testing.T) {
	l := newLab(t)
	l.fake("127.0.0.11", answerIn("corp.example.", "10.1.0.10"))
	l.told("127.0.0.11", "").awaits("@127.0.0.1 wiki.corp.example")
	dir := filepath.Dir(l.socket()) + "/dnsmus"
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		port := fmt.Sprint(5553 + n)
		l.start(testkit.Binary(t), "-conf", l.write("Corefile"+port, fmt.Sprintf(".:%s {\n bind 127.0.0.1\n dnsmus 127.0.0.11 {\n control %s/%s\n }\n}", port, dir, port))).awaits("@127.0.0.1 -p " + port + " wiki.corp.example")
	}
	command := func(args ...string) (status int, out string) {
		cmd := l.command(t.Context(), append([]string{testkit.Binary(t)}, args...)...)
		cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+filepath.Dir(dir))
		var all bytes.Buffer
		cmd.Stdout, cmd.Stderr = &all, &all
		return exitStatus(l, l.finish(cmd)), all.String()
	}
	status, out := command("status")
	l.mustSay(out, "several servers run; say which one is meant:", "-s "+dir+"/5553 process ", "on 127.0.0.1:5553", "-s "+dir+"/5554 process ")
	if status != 69 {
		t.Errorf("status %d", status)
	}
	if status, out = command("status", "--short", "-s", dir+"/5554"); status != 0 || out != "1/1 up\n" {
		t.Errorf("status %d, %s", status, out)
	}
	status, out = command("explain", "wiki.corp.example")
	l.mustSay(out, "several servers run; say which one is meant:", "-s "+dir+"/5554 process ")
	if status == 69 { // it asked by itself
		t.Errorf("status %d", status)
	}
	if status, out = command("explain", "wiki.corp.example", "-s", dir+"/5553"); status != 0 {
		t.Errorf("status %d, %s", status, out)
	}
	l.mustSay(out, "wiki.corp.example. A: NOERROR", "Asked by the server on 127.0.0.1:5553")
}

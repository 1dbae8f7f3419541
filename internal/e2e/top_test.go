//go:build linux

package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/gdamore/tcell/v3/vt"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// topRun is a run of the command top on a terminal of 24 lines.
type topRun struct {
	*lab
	front *os.File
	cmd   *exec.Cmd
	read  sync.WaitGroup

	mu      sync.Mutex
	columns int
	raw     []byte      // all that was written
	screen  vt.MockTerm // what shows that
}

// top runs the command with the lab's server, in a locale without UTF-8.
func (l *lab) top(columns int, args ...string) *topRun {
	l.Helper()
	r := &topRun{lab: l, columns: columns, screen: vt.NewMockTerm(vt.MockOptSize{X: vt.Col(columns), Y: 24})}
	if err := r.screen.Start(); err != nil {
		l.Fatal(err)
	}
	front, back := openTerminal(l.T)
	r.front = front
	resize(l.T, front, uint16(columns))
	cmd := l.command(l.Context(), append([]string{testkit.Binary(l.T), "top"}, args...)...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C", "NO_COLOR=1", "DNSMUS_CONTROL="+l.socket())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = back, back, back
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	r.cmd = cmd
	l.inside(func() {
		if err := cmd.Start(); err != nil {
			l.Fatal(err)
		}
	})
	back.Close()
	r.read.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := front.Read(buf)
			r.mu.Lock()
			r.raw = append(r.raw, buf[:n]...)
			r.screen.Write(buf[:n])
			r.mu.Unlock()
			if err != nil { // the other end is closed
				return
			}
		}
	})
	l.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		front.Close()
		r.read.Wait()
		r.screen.Stop()
	})
	return r
}

// shown is what the terminal shows.
func (r *topRun) shown() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for y := range 24 {
		for x := range r.columns {
			text := r.screen.GetCell(vt.Coord{X: vt.Col(x), Y: vt.Row(y)}).C
			if text == "" {
				text = " "
			}
			b.WriteString(text)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// shows waits until all words are shown, and those after "!" are not.
func (r *topRun) shows(words ...string) {
	r.Helper()
	r.eventually(func() error {
		text := r.shown()
		for _, word := range words {
			absent, not := strings.CutPrefix(word, "!")
			if strings.Contains(text, absent) == not {
				return fmt.Errorf("%q: on the terminal is\n%s", word, text)
			}
		}
		return nil
	})
}

func (r *topRun) press(keys string) {
	r.Helper()
	if _, err := io.WriteString(r.front, keys); err != nil {
		r.Fatal(err)
	}
}

func (r *topRun) resize(columns int) {
	r.Helper()
	r.mu.Lock()
	r.columns = columns
	r.screen.SetSize(vt.Coord{X: vt.Col(columns), Y: 24})
	r.mu.Unlock()
	resize(r.T, r.front, uint16(columns))
}

// top shows on a terminal what upstreams say, that one goes down and comes back, and that the
// server begins anew; hostile names draw nothing but themselves.
func TestTop(t *testing.T) {
	l := newLab(t)
	var dead atomic.Bool
	knows := answerIn("corp.example.", "10.1.0.10")
	l.fake("127.0.0.11", func(w dns.ResponseWriter, r *dns.Msg) {
		if !dead.Load() {
			knows(w, r)
		}
	})
	l.fake("127.0.0.12", answerIn("public.example.", "192.0.2.7"))
	p := l.told("127.0.0.11 127.0.0.12", "patience 1s\n cache").awaits("@127.0.0.1 wiki.corp.example")
	top := l.top(120)
	top.shows("a 127.0.0.11:53", "b 127.0.0.12:53", "live", "TIME      NAME", "BY a   b")

	l.expect("@127.0.0.1 git.corp.example", "NOERROR 10.1.0.10")
	l.expect("@127.0.0.1 git.corp.example", "NOERROR 10.1.0.10")
	l.expect("@127.0.0.1 nobody.example", "NXDOMAIN")
	top.shows("git.corp.example", "10.1.0.10 (kept)", "nobody.example", "NXDOMAIN")
	l.expect("@127.0.0.1 www.public.example.corp.test", "NXDOMAIN")
	l.expect("@127.0.0.1 www.public.example", "NOERROR 192.0.2.7")
	top.shows("www.public.example (x2)", "192.0.2.7", "!corp.test")

	top.press("d")
	top.shows("only: denied", "nobody.example", "!git.corp.example")
	top.press("d/public.example\r")
	top.shows("only: public.example", "!nobody.example")
	top.press("\r")
	top.shows("Query at", "the reply of 127.0.0.12:53", "Denied just before, in this name's search list: www.public.example.corp.test. A.")
	top.press("q/" + strings.Repeat("\x7f", 20) + "\r")
	top.shows("!only:", "nobody.example")

	dead.Store(true)
	l.expect("@127.0.0.1 nas.corp.example", "NXDOMAIN")
	top.shows("127.0.0.11:53  down", "upstream 127.0.0.11:53 is down: ", "nas.corp.example", "no opinion: a")
	dead.Store(false)
	l.becomes("@127.0.0.1 back.corp.example", "NOERROR 10.1.0.10")
	top.shows("127.0.0.11:53  up", "upstream 127.0.0.11:53 is up")

	for columns, words := range map[int][]string{60: {"TIME      NAME", "!BY", "P50"}, 70: {"MS  BY", "!BY a"}, 40: {"At least 60 and 12"}} {
		top.resize(columns)
		top.shows(words...)
	}
	top.resize(120)
	top.shows("BY a   b")

	label := strings.Repeat(`\255`, 63)
	for _, name := range []string{`<img/src=x/onerror=alert\(1\)>.x.test.`, `\027[2J\027]0;title\007.x.test.`, `\226\128\174evil.x.test.`, label + "." + label + "." + label + "." + strings.Repeat(`\255`, 61) + "."} {
		l.inside(func() {
			if _, _, err := new(dns.Client).Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), "127.0.0.1:53"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	top.shows("<img/src=x/onerror=alert", `\027[2j\027]0\;title\007.x.test`, `\226\128\174evil.x.test`, `\255\255\255`)
	top.press("/x.test\r")
	top.shows("only: x.test")
	for range 3 { // each of them
		top.press("\x1b[B\r")
		top.shows("Query at", "NXDOMAIN after")
		top.press("q")
		top.shows("only: x.test")
	}

	p.Signal(syscall.SIGINT)
	<-p.Done()
	top.shows("no connection", "connecting again")
	l.coredns(fmt.Sprintf(".:53 {\n bind 127.0.0.1\n dnsmus 127.0.0.12 {\n control %s\n }\n errors\n}", l.socket())).awaits("@127.0.0.1 www.public.example")
	top.shows("live", "b 127.0.0.12:53", "!a 127.0.0.11:53")

	top.press("q")
	if err := top.cmd.Wait(); err != nil {
		t.Errorf("ends with %v", err)
	}
	top.read.Wait()
	if n, title := top.screen.Bells(), top.screen.GetTitle(); n > 0 || title != "" {
		t.Errorf("%d bells, the title %q", n, title)
	}
	for _, c := range top.raw {
		if c > '~' || c < ' ' && !strings.ContainsRune("\r\n\x1b", rune(c)) {
			t.Errorf("byte %q was written", c)
			break
		}
	}
	if colours := regexp.MustCompile(`\x1b\[[0-9;]*3[0-7][;m]`).Find(top.raw); colours != nil {
		t.Errorf("there are colours: %q", colours)
	}
	if !strings.Contains(string(top.raw), "\x1b[?1049l") {
		t.Error("the screen is not given back")
	}
}

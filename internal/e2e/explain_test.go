//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// explain runs "coredns explain" to its end.
func (l *lab) explain(args string) (status int, stdout, stderr string) {
	l.Helper()
	binary := testkit.Binary(l.T) // it may have to be built
	ctx, cancel := context.WithTimeout(l.Context(), patience)
	defer cancel()
	var out, problems bytes.Buffer
	cmd := l.command(ctx, append([]string{binary, "explain"}, strings.Fields(args)...)...)
	cmd.Stdout, cmd.Stderr = &out, &problems
	return exitStatus(l, l.finish(cmd)), out.String(), problems.String()
}

func exitStatus(l *lab, err error) int {
	l.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	l.Fatal(err)
	return -1
}

var (
	someTime = regexp.MustCompile(`\d+\.\d+ m?s\b|\d+ ms\b`)
	blanks   = regexp.MustCompile(`(\S) {2,}`)
	slow     = regexp.MustCompile(`(?m)^Slow: .*\n`) // what a busy machine adds
)

// TestExplain asks the example's upstreams.
func TestExplain(t *testing.T) {
	l := newLab(t)
	l.dir = testkit.Root(t)
	l.start(testkit.Binary(t), "-conf", "Corefile.example").awaits("@127.0.0.1 -p 5553 wiki.corp.example")

	for _, test := range []struct {
		args, want string
		status     int
	}{
		{"git.corp.example -f resolv.conf.example", `
git.corp.example. A: NOERROR after TIME, the reply of 127.0.0.1:5302:
  git.corp.example. 60 IN A 10.2.0.20
Conclusive: the first good answer is the reply; other replies do not matter.

  UPSTREAM  TIME  REPLY  WHY
  127.0.0.1:5301  TIME  NXDOMAIN  no such name
* 127.0.0.1:5302  TIME  10.2.0.20  first good answer
  127.0.0.1:5303  TIME  NODATA  no A record

Asked by this command itself: the upstreams named on the command line.
`, 0},
		{"-f resolv.conf.example no.corp.example aaaa @127.0.0.1:5399", `
no.corp.example. AAAA: NODATA after TIME, the reply of 127.0.0.1:5303:
  corp.example. 5 IN SOA ns.gamma.example. hostmaster.gamma.example. 1 3600 600 86400 30
Inconclusive: no opinion from 127.0.0.1:5302 (replied SERVFAIL), 127.0.0.1:5399 (connection refused).
Caches may keep it for 5 s.

  UPSTREAM  TIME  REPLY  WHY
  127.0.0.1:5301  TIME  NXDOMAIN  no such name
  127.0.0.1:5302  TIME  SERVFAIL  no opinion
* 127.0.0.1:5303  TIME  NODATA  no AAAA record
  127.0.0.1:5399  TIME  -  connection refused

Asked by this command itself: the upstreams named on the command line.
`, 1},
		{"@127.0.0.1:5301 -x 192.0.2.1 --tcp", `
1.2.0.192.in-addr.arpa. PTR: NXDOMAIN after TIME, the reply of 127.0.0.1:5301:
  corp.example. 5 IN SOA ns.alpha.example. hostmaster.alpha.example. 1 3600 600 86400 30
Conclusive: every upstream has given its opinion.
Caches may keep it for 5 s.

  UPSTREAM  TIME  REPLY  WHY
* 127.0.0.1:5301  TIME  NXDOMAIN  no such name

Asked by this command itself: the upstreams named on the command line.
`, 2},
		{"wiki.corp.example AAAA @127.0.0.1:5301", `
wiki.corp.example. AAAA: NODATA after TIME, the reply of 127.0.0.1:5301:
  corp.example. 5 IN SOA ns.alpha.example. hostmaster.alpha.example. 1 3600 600 86400 30
Conclusive: every upstream has given its opinion.
Caches may keep it for 5 s, or for 30 s while the name has an answer of another type.

  UPSTREAM  TIME  REPLY  WHY
* 127.0.0.1:5301  TIME  NODATA  no AAAA record

Asked by this command itself: the upstreams named on the command line.
`, 1},
		{"no.corp.example @127.0.0.1:5302", `
no.corp.example. A: SERVFAIL after TIME, the reply of 127.0.0.1:5302
No usable reply: no opinion from 127.0.0.1:5302 (replied SERVFAIL).

  UPSTREAM  TIME  REPLY  WHY
* 127.0.0.1:5302  TIME  SERVFAIL  no opinion

Asked by this command itself: the upstreams named on the command line.
`, 3},
		{"wiki.corp.example -conf Corefile.example", `
wiki.corp.example. A: NOERROR after TIME, the reply of 127.0.0.1:5301:
  wiki.corp.example. 60 IN A 10.1.0.10
Conclusive: the first good answer is the reply; other replies do not matter.

  UPSTREAM  TIME  REPLY  WHY
* 127.0.0.1:5301  TIME  10.1.0.10  first good answer
  127.0.0.1:5302  TIME  SERVFAIL  no opinion
  127.0.0.1:5303  TIME  NODATA  no A record

Asked by this command itself: resolv.conf.example, as in Corefile.example.
`, 0},
	} {
		status, out, problems := l.explain(test.args)
		got := blanks.ReplaceAllString(someTime.ReplaceAllString(slow.ReplaceAllString(out, ""), "TIME"), "$1  ")
		if status != test.status || problems != "" || got != test.want[1:] {
			l.Errorf("explain %s: status %d, problems %q\n%s\nwant %d\n%s", test.args, status, problems, got, test.status, test.want)
		}
	}

	// Several types at once, and the best reply is the exit status.
	status, out, problems := l.explain("git.corp.example TXT A HTTPS -conf Corefile.example")
	for _, want := range []string{"git.corp.example. TXT: NODATA", "git.corp.example. A: NOERROR", "git.corp.example. HTTPS: NODATA"} {
		if status != 0 || problems != "" || !strings.Contains(out, want) {
			l.Errorf("status %d, and not %q in\n%s%s", status, want, out, problems)
		}
	}

	// It says what the server says.
	for _, name := range []string{"wiki", "git", "db", "no"} {
		for _, qtype := range []string{"AAAA", "A"} { // NODATA before the server knows that there is an answer
			question := name + ".corp.example " + qtype
			_, out, _ := l.explain(question + " --json -f resolv.conf.example")
			var said struct {
				Rcode             string
				Answer, Authority []string
			}
			if err := json.Unmarshal([]byte(out), &said); err != nil {
				l.Fatal(err)
			}
			r := l.dig("@127.0.0.1 -p 5553 " + question)
			for _, section := range []string{"ANSWER", "AUTHORITY"} {
				for i, record := range r.sections[section] {
					r.sections[section][i] = strings.Join(strings.Fields(record), " ")
				}
			}
			if said.Rcode != r.status || !slices.Equal(said.Answer, r.sections["ANSWER"]) || !slices.Equal(said.Authority, r.sections["AUTHORITY"]) {
				l.Errorf("%s: %s\nbut the server says\n%s", question, out, r.text)
			}
		}
	}

	for args, want := range map[string]int{"-h": 0, "": 64, "a..b": 64, "a -f /nowhere": 66, "a -conf /nowhere": 66, "a -s /nowhere": 69} {
		if status, out, problems := l.explain(args); status != want || (status == 0) != (problems == "") || (status == 0) != (out != "") {
			l.Errorf("explain %s: status %d, want %d\n%s%s", args, status, want, out, problems)
		}
	}
}

// TestExplainOnTerminal watches it wait, and interrupts it with the keyboard.
func TestExplainOnTerminal(t *testing.T) {
	t.Parallel()
	l := &lab{T: t, dir: t.TempDir()}
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()

	keyboard, end := openTerminal(t)
	cmd := l.command(t.Context(), testkit.Binary(t), "explain", "host.example",
		"@"+silent.LocalAddr().String(), "@127.0.0.1:1", "--timeout", "1m", "--patience", "1m")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = end, end, end
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "NO_COLOR=") }), "TERM=xterm")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end.Close()
	var (
		mu    sync.Mutex
		shown []byte
		ended sync.WaitGroup
	)
	ended.Go(func() { // an error says that the other end is closed
		buf := make([]byte, 4096)
		for {
			n, err := keyboard.Read(buf)
			mu.Lock()
			shown = append(shown, buf[:n]...)
			mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	screen := func() string {
		mu.Lock()
		defer mu.Unlock()
		return string(shown)
	}
	l.eventually(func() error {
		if n := strings.Count(screen(), "waiting"); n < 3 {
			return fmt.Errorf("%d frames:\n%q", n, screen())
		}
		return nil
	})
	if _, err := keyboard.Write([]byte{3}); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	status := exitStatus(l, cmd.Wait())
	ended.Wait()
	const erased = "\x1b[3A\x1b[J"
	all := screen()
	last := all[strings.LastIndex(all, erased)+len(erased):]
	if status != 130 || strings.Count(all, erased) < 3 || strings.Contains(last, "waiting") ||
		!strings.HasPrefix(last, "host.example. A: interrupted after ") ||
		!strings.Contains(last, "no reply yet") || !strings.Contains(last, "connection refused") ||
		!strings.Contains(last, "\x1b[31m-\x1b[0m") {
		t.Errorf("status %d, shows\n%q", status, all)
	}
}

// openTerminal returns both ends of a pseudoterminal: who sits in front of it,
// and what programs see.
func openTerminal(t *testing.T) (front, back *os.File) {
	t.Helper()
	front, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { front.Close() })
	var locked, n int32
	ioctl(t, front, syscall.TIOCSPTLCK, unsafe.Pointer(&locked))
	ioctl(t, front, syscall.TIOCGPTN, unsafe.Pointer(&n))
	resize(t, front, 80)
	back, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { back.Close() })
	return front, back
}

// resize sets how many columns a terminal has.
func resize(t *testing.T, front *os.File, columns uint16) {
	t.Helper()
	ioctl(t, front, syscall.TIOCSWINSZ, unsafe.Pointer(&struct{ rows, columns, x, y uint16 }{24, columns, 0, 0}))
}

func ioctl(t *testing.T, f *os.File, request uintptr, arg unsafe.Pointer) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(arg)); errno != 0 {
		t.Fatal(errno)
	}
}

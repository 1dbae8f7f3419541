package explain

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// terminal is what a terminal of some width shows after some output.
type terminal struct {
	t        *testing.T
	width    int
	lines    [][]rune
	row, col int
}

var control = regexp.MustCompile(`^\x1b\[(\d*)([AJm])`)

// show writes output to a terminal.
func show(t *testing.T, output string, width int) *terminal {
	t.Helper()
	v := &terminal{t: t, width: width}
	for len(output) > 0 {
		if found := control.FindStringSubmatch(output); found != nil {
			output = output[len(found[0]):]
			switch found[2] {
			case "A":
				n := 0
				fmt.Sscan(found[1], &n)
				if n > v.row {
					t.Fatalf("up %d lines from line %d", n, v.row)
				}
				v.row -= n
			case "J":
				v.lines = v.lines[:min(v.row, len(v.lines))]
				if v.col != 0 {
					t.Fatal("erased in the middle of a line")
				}
			}
			continue
		}
		r := []rune(output)[0]
		output = output[len(string(r)):]
		switch r {
		case '\n':
			v.row, v.col = v.row+1, 0
		case '\r':
			v.col = 0
		case '\x1b':
			t.Fatalf("not understood: %q", output)
		default:
			v.put(r)
		}
	}
	return v
}

func (v *terminal) put(r rune) {
	if v.col == v.width {
		v.row, v.col = v.row+1, 0
	}
	for len(v.lines) <= v.row {
		v.lines = append(v.lines, nil)
	}
	line := v.lines[v.row]
	for len(line) <= v.col {
		line = append(line, ' ')
	}
	line[v.col] = r
	v.lines[v.row] = line
	v.col++
}

func (v *terminal) text() string {
	var b strings.Builder
	for _, line := range v.lines {
		b.WriteString(string(line) + "\n")
	}
	return b.String()
}

// output keeps what is written from any goroutine.
type output struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	writes int
	after  func(writes int)
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes++
	if o.after != nil {
		o.after(o.writes)
	}
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func TestWatch(t *testing.T) {
	for _, tc := range []struct {
		what          string
		width, height int
		begins        string
	}{
		{"roomy", 80, 24, "frame 1\nsome more to be shown\nten column\n"},
		{"narrow", 10, 24, "frame 1\nsome more\nten colum\n"},
		{"low", 80, 3, "frame 1\nsome more to be shown\n"},
		{"of unknown height", 80, 0, "frame 1\nsome more to be shown\nten column\n"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var out output
			n := 0
			end := watch(screen{Writer: &out, width: tc.width, height: tc.height, live: true}, func() []string {
				n++
				return []string{fmt.Sprint("frame ", n), "some more to be shown", "ten column"}
			})
			time.Sleep(firstFrame + nextFrame/2)
			synctest.Wait()
			if got := show(t, out.String(), tc.width).text(); got != tc.begins {
				t.Errorf("%s: shows\n%s", tc.what, got)
			}
			time.Sleep(3 * nextFrame)
			synctest.Wait()
			if got := show(t, out.String(), tc.width).text(); got != strings.Replace(tc.begins, "1", "4", 1) {
				t.Errorf("%s: shows in the end\n%s", tc.what, got)
			}
			io.WriteString(&out, "^C") // as the terminal shows it
			end()
			if got := show(t, out.String(), tc.width).text(); got != "" {
				t.Errorf("%s: leaves\n%s", tc.what, got)
			}
		})
	}
}

// What is over at once does not flicker.
func TestWatchNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		watch(screen{Writer: &out, width: 80, live: true}, func() []string { return []string{"x"} })()
		if out.Len() > 0 {
			t.Errorf("wrote %q", out.String())
		}
	})
}

// On a terminal nothing is left in the end that is not shown elsewhere.
func TestProgress(t *testing.T) {
	t.Parallel()
	var out output
	shown := make(chan struct{})
	out.after = func(writes int) {
		if writes == 3 {
			close(shown)
		}
	}
	slow := func(network string, m *dns.Msg) bool {
		<-shown
		return nxdomain(network, m)
	}
	server := resolver(t, slow)
	s := screen{Writer: &out, width: 80, height: 24, live: true}
	status := run(t.Context(), "dnsmus explain", []string{"host.example", "--timeout", "1m", "--patience", "1m", "@" + server.String()}, s, os.Stderr)
	text := show(t, out.String(), 80).text()
	if status != 2 || !strings.Contains(out.String(), "waiting") || strings.Contains(text, "waiting") || !strings.HasPrefix(text, "host.example. A\n\n  UPSTREAM") {
		t.Errorf("status %d, leaves\n%s\nof\n%q", status, text, out.String())
	}
}

func TestScreenOn(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	t.Setenv("TERM", "xterm")
	for _, f := range []*os.File{f, null} {
		if s := screenOn(f); s.live || s.colour {
			t.Errorf("%s is taken for a terminal", f.Name())
		}
	}
}

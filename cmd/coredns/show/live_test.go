package show

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// output keeps what is written from any goroutine.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
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
			end := Screen{Writer: &out, Width: tc.width, Height: tc.height, Live: true}.Watch(func() []string {
				n++
				return []string{fmt.Sprint("frame ", n), "some more to be shown", "ten column"}
			})
			time.Sleep(firstFrame + nextFrame/2)
			synctest.Wait()
			if got := testkit.Shown(t, out.String(), tc.width); got != tc.begins {
				t.Errorf("%s: shows\n%s", tc.what, got)
			}
			time.Sleep(3 * nextFrame)
			synctest.Wait()
			if got := testkit.Shown(t, out.String(), tc.width); got != strings.Replace(tc.begins, "1", "4", 1) {
				t.Errorf("%s: shows in the end\n%s", tc.what, got)
			}
			io.WriteString(&out, "^C") // as the terminal shows it
			end()
			if got := testkit.Shown(t, out.String(), tc.width); got != "" {
				t.Errorf("%s: leaves\n%s", tc.what, got)
			}
		})
	}
}

// What is over at once does not flicker.
func TestWatchNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		Screen{Writer: &out, Width: 80, Live: true}.Watch(func() []string { return []string{"x"} })()
		if out.Len() > 0 {
			t.Errorf("wrote %q", out.String())
		}
	})
}

func TestOn(t *testing.T) {
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
		if s := On(f); s.Live || s.Colour {
			t.Errorf("%s is taken for a terminal", f.Name())
		}
	}
}

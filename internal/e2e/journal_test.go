//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// TestJournal: lines for systemd's journal begin with their priority; others, as those for a
// terminal, do not.
func TestJournal(t *testing.T) {
	l := newLoopback(t)
	binary := testkit.Binary(t)
	corefile := l.write("Corefile", ".:"+l.freePort()+" {\nbind 127.0.0.1\ndnsmus 192.0.2.1\nforward . 192.0.2.2\n}\n")
	for _, test := range []struct {
		args    []string
		journal bool // both outputs lead to it
		want    string
	}{
		{[]string{"-conf", corefile}, true, "<4>[WARNING] plugin/dnsmus: The plugin forward"},
		{[]string{"-conf", corefile}, true, "<6>[INFO] plugin/dnsmus: Upstreams are 192.0.2.1:53"},
		{[]string{"-conf", corefile}, false, "[WARNING] plugin/dnsmus: The plugin forward"},
		{[]string{"-conf", "missing"}, true, "<3>open missing"},
		{[]string{"-conf", "missing"}, false, "open missing"},
		{[]string{"-check", "-conf", "missing"}, true, "<3>coredns: open missing"},
		{[]string{"-check", "-conf", "missing"}, false, "coredns: open missing"},
		{[]string{"-log-format=json", "-conf", corefile}, true, `{"time"`},
	} {
		func() {
			ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			ours, theirs := os.NewFile(uintptr(ends[0]), "ours"), os.NewFile(uintptr(ends[1]), "theirs")
			defer ours.Close()
			info, err := theirs.Stat()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(binary, test.args...)
			cmd.Dir, cmd.Stdout, cmd.Stderr = l.dir, theirs, theirs
			cmd.Env = append(os.Environ(), "JOURNAL_STREAM=8:1")
			if s := info.Sys().(*syscall.Stat_t); test.journal {
				cmd.Env = append(cmd.Env, fmt.Sprintf("JOURNAL_STREAM=%d:%d", s.Dev, s.Ino))
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			theirs.Close()
			over := time.AfterFunc(patience, func() { cmd.Process.Kill() })
			defer func() {
				over.Stop()
				cmd.Process.Kill()
				cmd.Wait()
			}()
			var said strings.Builder
			for lines := bufio.NewScanner(ours); lines.Scan(); {
				if strings.HasPrefix(lines.Text(), test.want) {
					return
				}
				said.WriteString(lines.Text() + "\n")
			}
			t.Errorf("%q says no %q, but\n%s", test.args, test.want, said.String())
		}()
	}
}

//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// TestUser starts the command as root on port 53 with -user. It is that user then, in all
// threads and without root's groups, and goes on after a reload.
func TestUser(t *testing.T) {
	l := newLab(t, "dnsmasq", "setpriv")
	binary := testkit.Binary(t)
	l.dnsmasq("127.0.0.11", "53", "--host-record=wiki.corp.example,10.1.0.10").awaits("@127.0.0.11 wiki.corp.example")
	p := l.start(binary, "-user", "daemon", "127.0.0.1:53", "127.0.0.11").awaits("@127.0.0.1 wiki.corp.example")
	dropped := func() error {
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.Pid()))
		if err != nil || len(threads) == 0 {
			t.Fatal(len(threads), err)
		}
		for _, thread := range threads {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", p.Pid(), thread.Name()))
			if os.IsNotExist(err) || errors.Is(err, syscall.ESRCH) {
				continue // it has ended
			}
			for _, want := range []string{"\nUid:\t1\t1\t1\t1\n", "\nGid:\t1\t1\t1\t1\n", "\nGroups:\t1 \n", "\nCapEff:\t0000000000000000\n"} {
				if !strings.Contains(string(status), want) {
					return fmt.Errorf("%v: not %q in\n%s", err, want, status)
				}
			}
		}
		return nil
	}
	answers := func() {
		t.Helper()
		l.expect("@127.0.0.1 wiki.corp.example", "NOERROR 10.1.0.10")
		l.expect("@127.0.0.1 +tcp wiki.corp.example", "NOERROR 10.1.0.10")
	}
	l.eventually(dropped) // it answers a moment before, and its threads change one after another
	answers()
	p.reloads()
	p.printsTimes(1, "Reloading complete")
	if err := dropped(); err != nil {
		t.Error(err)
	}
	answers()

	for _, test := range []struct{ args, want string }{
		{binary + " -user no-such-user 5553 127.0.0.11", "make that user"},
		{"setpriv --reuid=65534 --clear-groups " + binary + " -user daemon 5553 127.0.0.11", "only root can become daemon"},
	} {
		if out, err := l.output(strings.Fields(test.args)...); err == nil || !strings.Contains(out, test.want) {
			t.Errorf("%s: %v, want an error with %q:\n%s", test.args, err, test.want, out)
		}
	}
	l.start("setpriv", "--reuid=65534", "--clear-groups", binary, "-user", "nobody", "5553", "127.0.0.11").awaits("@127.0.0.1 -p 5553 wiki.corp.example")
}

//go:build linux

package e2e

import (
	"bytes"
	"os"
	"os/user"
	"strconv"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// A user who is not in the socket's group is told which one to join, and explain asks by itself;
// one who is, sees all.
func TestRights(t *testing.T) {
	l := newLab(t, "setpriv")
	group, err := user.LookupGroup("daemon")
	if err != nil {
		t.Skip(err)
	}
	gid, err := strconv.Atoi(group.Gid)
	if err != nil {
		t.Fatal(err)
	}
	l.fake("127.0.0.11", answerIn("corp.example.", "10.1.0.10"))
	p := l.told("127.0.0.11", "").awaits("@127.0.0.1 wiki.corp.example")
	if err := os.Chown(l.socket(), 0, gid); err != nil {
		t.Fatal(err)
	}
	as := func(groups string, args ...string) (status int, out string) {
		t.Helper()
		cmd := l.command(t.Context(), append([]string{"setpriv", "--reuid=65534", "--regid=65534", groups, testkit.Binary(t)}, args...)...)
		cmd.Dir = "/"
		cmd.Env = append(os.Environ(), "DNSMUS_CONTROL="+l.socket())
		var all bytes.Buffer
		cmd.Stdout, cmd.Stderr = &all, &all
		return exitStatus(l, l.finish(cmd)), all.String()
	}
	for _, args := range [][]string{{"status"}, {"why", "wiki.corp.example"}, {"zones"}, {"tail"}, {"forget", "--all"}} {
		status, out := as("--clear-groups", args...)
		if status != 77 {
			t.Errorf("%v: status %d", args, status)
		}
		l.mustSay(out, "permission denied on "+l.socket()+": run it with sudo, or join the group daemon ('sudo usermod -aG daemon $USER'")
	}
	if status, out := as("--groups="+group.Gid, "status", "--short"); status != 0 || out != "1/1 up\n" {
		t.Errorf("in the group: status %d, %s", status, out)
	}
	if status, out := as("--groups="+group.Gid, "explain", "wiki.corp.example"); status != 0 {
		t.Errorf("in the group: status %d, %s", status, out)
	}
	if status, out := as("--clear-groups", "explain", "wiki.corp.example", "@127.0.0.11"); status != 0 {
		t.Errorf("explain without the server: status %d, %s", status, out)
	}
	p.Kill()
	status, out := as("--groups="+group.Gid, "status")
	if status != 69 {
		t.Errorf("when it is gone: status %d", status)
	}
	l.mustSay(out, "no server answers at "+l.socket())
}

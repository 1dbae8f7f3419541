//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// diagnosis is what doctor says as JSON.
type diagnosis struct {
	Problems, Unlooked int
	Checks             []struct {
		Name, About  string
		Problems     []struct{ What, Mend string }
		Seen         []string
		CouldNotLook *string `json:"could_not_look"`
	}
}

// Doctor tells whether programs of a system reach dnsmus, by the C library too, and what it looks for
// leaves no packet to an upstream. What else is wrong with the machine that runs this test is
// no matter.
func TestDoctor(t *testing.T) {
	l := newLab(t, "getent", "env")
	l.systemResolver("127.0.0.1", "")
	l.fake("127.0.0.11", answerIn("corp.example.", "10.1.0.10"))
	l.fake("127.0.0.12", answerIn("example.", "10.9.0.9")) // which answers all that doctor asks for
	p := l.told("127.0.0.11", "").awaits("@127.0.0.1 wiki.corp.example")

	home := t.TempDir()
	profile := filepath.Join(home, ".mozilla/firefox/ab12.default")
	if err := os.MkdirAll(profile, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(profile, "prefs.js"), []byte("user_pref(\"network.trr.mode\", 3);\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	doctor := func(args ...string) (status int, out string) {
		t.Helper()
		out, err := l.lookUp(append([]string{"env", "-u", "SUDO_USER", "HOME=" + home, testkit.Binary(t), "doctor", "-s", l.socket()}, args...)...)
		return exitStatus(l, err), out
	}
	looks := func() (d diagnosis) {
		t.Helper()
		status, out := doctor("--json")
		if err := json.Unmarshal([]byte(out), &d); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if d.Problems == 0 || status != 1 {
			t.Errorf("status %d: %s", status, out)
		}
		return d
	}
	// problemsOf are those of one check, which did look.
	problemsOf := func(d diagnosis, name string) (all []string) {
		t.Helper()
		for _, c := range d.Checks {
			if c.Name == name {
				if c.CouldNotLook != nil {
					t.Errorf("%s: %s", name, *c.CouldNotLook)
				}
				for _, p := range c.Problems {
					all = append(all, p.What)
				}
				return all
			}
		}
		t.Errorf("there is no check %s", name)
		return nil
	}

	var d diagnosis
	l.eventually(func() error { // on a machine that is too busy a reply may come too late
		d = looks()
		for _, name := range []string{"reach", "resolv.conf", "nsswitch", "port", "search"} {
			if all := problemsOf(d, name); len(all) > 0 {
				return fmt.Errorf("%s: %q", name, all)
			}
		}
		return nil
	})
	if all := problemsOf(d, "firefox"); len(all) != 1 || !strings.Contains(all[0], "network.trr.mode is 3") {
		t.Errorf("firefox: %q", all)
	}

	l.etc("resolv.conf", "nameserver 127.0.0.12\nsearch corp.example\noptions ndots:5\n")
	d = looks()
	if all := problemsOf(d, "reach"); len(all) != 2 || !strings.Contains(all[0], "C library does not reach dnsmus: it asks 127.0.0.12.") || !strings.Contains(all[1], "The nameserver 127.0.0.12") {
		t.Errorf("reach: %q", all)
	}
	if all := problemsOf(d, "search"); len(all) != 1 {
		t.Errorf("search: %q", all)
	}
	status, out := doctor()
	if status != 1 {
		t.Errorf("status %d", status)
	}
	l.mustSay(out, "! The C library does not reach dnsmus: it asks 127.0.0.12.", "a name that only dnsmus knows: ", "mend: ", profile)
	status, out = doctor("--report")
	if status != 1 || strings.Contains(out, home) {
		t.Errorf("status %d: %s", status, out)
	}
	l.mustSay(out, "! The C library does not reach dnsmus: it asks 127.0.0.12.", "~/.mozilla/firefox/", "search: search domains")

	l.etc("resolv.conf", "nameserver 127.0.0.9\n")
	if all := problemsOf(looks(), "port"); len(all) != 1 || !strings.Contains(all[0], "127.0.0.9, and nobody listens there") {
		t.Errorf("port: %q", all)
	}
	p.Kill()
	if status, out = doctor(); status != 1 {
		t.Errorf("status %d", status)
	}
	l.mustSay(out, "? reach: could not look: no server answers at")
}

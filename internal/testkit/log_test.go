//go:build linux

package testkit

import (
	"log"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestTalkative logs, and is run by TestLogged.
func TestTalkative(t *testing.T) {
	if os.Getenv("TALKATIVE") == "" {
		return
	}
	Logged(t)
	log.Print("parent")
	for _, name := range []string{"passes", "fails"} {
		t.Run(name, func(t *testing.T) {
			l := Logged(t)
			log.Print(name)
			if Logged(t) != l || l.Count(name) != 1 || l.Count("parent") != 0 {
				t.Errorf("the log is %q", l)
			}
			if name == "fails" {
				t.Error("on purpose")
			}
		})
	}
	t.Run("says nothing of its log", func(t *testing.T) { log.Print("nobody's") })
}

func TestLogged(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestTalkative$")
	cmd.Env = append(os.Environ(), "TALKATIVE=1", "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Errorf("it does not fail:\n%s", out)
	}
	for text, want := range map[string]int{"on purpose": 1, " fails\n": 1, " passes\n": 0, " parent\n": 1, "nobody's": 1} {
		if n := strings.Count(string(out), text); n != want {
			t.Errorf("%q is printed %d times, want %d:\n%s", text, n, want, out)
		}
	}
}

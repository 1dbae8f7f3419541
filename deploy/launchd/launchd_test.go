//go:build linux

// Package launchd_test checks the job for launchd of macOS.
package launchd_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// The job is a property list, and what it runs is a command line of ours.
func TestPlist(t *testing.T) {
	testkit.Need(t, false, "plistutil")
	binary := t.TempDir() + "/binary.plist"
	for _, args := range [][]string{{"-i", "dnsmus.plist", "-o", binary}, {"-i", binary}} { // there and back
		out, err := exec.Command("plistutil", args...).CombinedOutput()
		if err != nil || args[1] == binary && !strings.Contains(string(out), "<key>ProgramArguments</key>") {
			t.Fatalf("plistutil %q: %v\n%s", args, err, out)
		}
	}
	text, err := os.ReadFile("dnsmus.plist")
	if err != nil {
		t.Fatal(err)
	}
	_, array, _ := strings.Cut(string(text), "<key>ProgramArguments</key>")
	array, _, _ = strings.Cut(array, "</array>")
	args := []string{"-corefile"}
	for _, m := range regexp.MustCompile(`<string>(.*)</string>`).FindAllStringSubmatch(array, -1)[1:] {
		args = append(args, m[1])
	}
	out, err := exec.Command(testkit.Binary(t), args...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), ".:53 {\n    bind 127.0.0.1\n    dnsmus {\n        cache\n    }\n") {
		t.Errorf("%q: %v\n%s", args, err, out)
	}
}

//go:build linux

package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// TestTroubleshooting runs what docs/troubleshooting.md says, but for systemd's commands: the
// Corefile that asks one resolver only for the names of one zone, and each command line.
func TestTroubleshooting(t *testing.T) {
	l := newLab(t, "dnsmasq", "ip", "getent", "grep")
	page, err := os.ReadFile(filepath.Join(testkit.Root(t), "docs/troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"10.1.0.53", "192.0.2.53"} {
		l.run("ip", "addr", "add", address+"/24", "dev", "lo")
	}
	const reverse = "--ptr-record=10.0.1.10.in-addr.arpa,wiki.corp.example"
	l.dnsmasq("10.1.0.53", "53", "--host-record=wiki.corp.example,10.1.0.10", reverse, "--address=/#/").awaits("@10.1.0.53 wiki.corp.example")
	// The other one has an answer for each name, and so would win half of the races.
	others := l.dnsmasq("192.0.2.53", "53", "--address=/#/198.51.100.1", "--log-queries").awaits("@192.0.2.53 www.example")

	corefile := regexp.MustCompile(`(?s)~~~ corefile\n(.*?)~~~`).FindSubmatch(page)
	if corefile == nil {
		t.Fatal("there is no Corefile")
	}
	path := l.write("Corefile", strings.ReplaceAll(string(corefile[1]), "/etc/resolv.conf.dnsmus", l.write("resolv.conf.dnsmus", "nameserver 192.0.2.53\n")))
	control := filepath.Join(l.dir, "control")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	l.write("Corefile", strings.Replace(string(text), "cache\n", "cache\ncontrol "+control+"\n", 1))
	l.start(testkit.Binary(t), "-conf", path).awaits("@127.0.0.123 wiki.corp.example")
	for question, want := range map[string]string{
		"wiki.corp.example":   "NOERROR 10.1.0.10",
		"nobody.corp.example": "NXDOMAIN",
		"-x 10.1.0.10":        "NOERROR wiki.corp.example.",
		"www.example":         "NOERROR 198.51.100.1",
	} {
		l.expect("@127.0.0.123 "+question, want)
	}
	others.prints("query[A] www.example from")
	for _, name := range []string{"corp.example from", "10.in-addr.arpa"} {
		if strings.Contains(others.Printed(), name) {
			t.Errorf("the other resolver is asked for %s", name)
		}
	}

	bin := t.TempDir()
	if err := os.Symlink(testkit.Binary(t), filepath.Join(bin, "dnsmus")); err != nil {
		t.Fatal(err)
	}
	// Those of blocks, and those in the text that are whole.
	lines := regexp.MustCompile("(?m)^ *\\$ (.*)$|`(dnsmus forget [^`]*|dnsmus -check [^`]*|dnsmus -version)`").FindAllSubmatch(page, -1)
	if len(lines) < 10 {
		t.Fatalf("%d command lines", len(lines))
	}
	hosts := l.write("hosts", "10.1.0.10 wiki.corp.example\n")
	for _, line := range lines {
		text := strings.ReplaceAll(string(line[1])+string(line[2]), "/etc/dnsmus/Corefile", path)
		text = strings.ReplaceAll(text, "/etc/resolv.conf", l.write("resolv.conf", "nameserver 127.0.0.123\nsearch corp.example\n"))
		text = strings.ReplaceAll(text, "dnsmus explain", "dnsmus explain -conf "+path)
		if strings.HasPrefix(text, "systemctl ") || strings.HasPrefix(text, "journalctl ") {
			continue // deploy/package has a machine for these
		}
		out, err := l.output("unshare", "--mount", "sh", "-c", "mount --bind "+hosts+" /etc/hosts && export PATH="+bin+":$PATH DNSMUS_CONTROL="+control+" && "+text)
		var exit *exec.ExitError
		ofName := strings.HasPrefix(text, "dnsmus why ") && errors.As(err, &exit) && exit.ExitCode() <= 4 // how it fared
		if err != nil && !ofName || out == "" {
			t.Errorf("%s: %v\n%s", text, err, out)
		}
	}
}

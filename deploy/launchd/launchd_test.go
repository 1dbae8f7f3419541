//go:build linux

// Package launchd_test checks the job for launchd of macOS, and the scripts that install it
// there and remove it, with programs in place of the system's that note what they are told.
package launchd_test

import (
	"os"
	"os/exec"
	"path/filepath"
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
	_, array, _ := strings.Cut(read(t, "dnsmus.plist"), "<key>ProgramArguments</key>")
	array, _, _ = strings.Cut(array, "</array>")
	args := []string{"-corefile"}
	for _, m := range regexp.MustCompile(`<string>(.*)</string>`).FindAllStringSubmatch(array, -1)[1:] {
		args = append(args, m[1])
	}
	out, err := exec.Command(testkit.Binary(t), args...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), ".:53 {\n    bind 127.0.0.1\n    dnsmus links /etc/resolv.conf.dnsmus {\n        cache\n    }\n") {
		t.Errorf("%q: %v\n%s", args, err, out)
	}
}

// The log that is rotated is the job's, and the process that is told is too.
func TestLogIsRotated(t *testing.T) {
	job := read(t, "dnsmus.plist")
	var fields []string
	for line := range strings.Lines(read(t, "newsyslog.conf")) {
		if !strings.HasPrefix(line, "#") {
			fields = strings.Fields(line)
		}
	}
	if len(fields) != 9 {
		t.Fatalf("newsyslog.conf has the fields %q", fields)
	}
	for _, key := range []string{"StandardOutPath", "StandardErrorPath"} {
		if want := "<key>" + key + "</key>\n\t<string>" + fields[0] + "</string>"; !strings.Contains(job, want) {
			t.Errorf("the job does not log to %s", fields[0])
		}
	}
	if want := "<string>-pidfile</string>\n\t\t<string>" + fields[7] + "</string>"; !strings.Contains(job, want) || !strings.Contains(job, "KeepAlive") {
		t.Errorf("the job does not write %s", fields[7])
	}
}

// mac is where the scripts run: a root directory, and programs of macOS that note what they
// are told. As on a Mac there are services that ask nobody in particular, and numbers that
// are taken.
type mac struct {
	*testing.T
	root, path string
}

func newMac(t *testing.T) *mac {
	m := &mac{T: t, root: t.TempDir(), path: t.TempDir()}
	m.write(filepath.Join(m.root, "etc/resolv.conf"), "domain home\nnameserver 127.0.0.53\nnameserver 10.1.0.53\nnameserver 10.2.0.53\n")
	m.write(filepath.Join(m.root, "dnsmus"), "the program")
	const note = "#!/bin/sh\necho \"$(basename \"$0\") $*\" >>\"$ROOT/told\"\n"
	m.program("launchctl", note+`case $1 in
bootstrap) case $(cat "$ROOT/busy" 2>/dev/null) in '' | 0) ;; *)
    echo $(($(cat "$ROOT/busy") - 1)) >"$ROOT/busy"
    echo 'Bootstrap failed: 5: Input/output error' >&2
    exit 5 ;;
esac ;;
esac
`)
	m.program("dscl", note+`case "$2 $4 $5" in
'-read  ') exit 1 ;;
'-search UniqueID 380' | '-search PrimaryGroupID 381') echo 'other UniqueID = 380' ;;
esac
`)
	m.program("networksetup", note+`case "$1 $2" in
'-listallnetworkservices ') printf 'An asterisk (*) denotes that a network service is disabled.\nWi-Fi\n*Thunderbolt Bridge\nUSB 10/100 LAN\n' ;;
'-getdnsservers USB 10/100 LAN') cat "$ROOT/set" 2>/dev/null || printf '192.0.2.1\n2001:db8::1\n' ;;
-getdnsservers*) echo "There aren't any DNS Servers set on $2." ;;
'-setdnsservers USB 10/100 LAN') echo "$3" >"$ROOT/set" ;;
esac
`)
	return m
}

func (m *mac) write(name, text string) {
	m.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		m.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		m.Fatal(err)
	}
}

func (m *mac) program(name, text string) { m.write(filepath.Join(m.path, name), text) }

// run runs a script, and returns what the programs of macOS were told.
func (m *mac) run(script string, args ...string) string {
	m.Helper()
	cmd := exec.Command("./"+script, args...)
	cmd.Env = append(os.Environ(), "ROOT="+m.root, "PAUSE=0", "PATH="+m.path+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		m.Fatalf("%s: %v\n%s", script, err, out)
	}
	told := read(m.T, filepath.Join(m.root, "told"))
	os.Remove(filepath.Join(m.root, "told"))
	return told
}

func TestInstall(t *testing.T) {
	m := newMac(t)
	told := m.run("install", filepath.Join(m.root, "dnsmus"))
	for _, want := range []string{
		"dscl . -create /Groups/_dnsmus PrimaryGroupID 382\n", "dscl . -create /Users/_dnsmus UniqueID 382\n", "UserShell /usr/bin/false\n",
		"launchctl bootstrap system " + m.root + "/Library/LaunchDaemons/org.dnsmus.plist\n",
		"networksetup -setdnsservers Wi-Fi 127.0.0.1\n", "networksetup -setdnsservers Thunderbolt Bridge 127.0.0.1\n", "networksetup -setdnsservers USB 10/100 LAN 127.0.0.1\n",
	} {
		if !strings.Contains(told, want) {
			t.Errorf("install does not call %q:\n%s", want, told)
		}
	}
	list := filepath.Join(m.root, "etc/resolv.conf.dnsmus")
	if got, want := read(t, list), "nameserver 10.1.0.53\nnameserver 10.2.0.53\n"; !strings.HasSuffix(got, ":\n"+want) {
		t.Errorf("the list is\n%s, want\n%s", got, want)
	}
	for name, from := range map[string]string{"usr/local/bin/dnsmus": m.root + "/dnsmus", "Library/LaunchDaemons/org.dnsmus.plist": "dnsmus.plist", "etc/newsyslog.d/dnsmus.conf": "newsyslog.conf"} {
		if read(t, filepath.Join(m.root, name)) != read(t, from) {
			t.Errorf("%s is not %s", name, from)
		}
	}

	// Once more, as for an upgrade: what was asked before is what was asked before the first.
	m.write(list, "nameserver 10.9.0.53\n")
	m.write(filepath.Join(m.root, "busy"), "5") // attempts for which the old job still ends
	told = m.run("install", filepath.Join(m.root, "dnsmus"))
	if _, last, _ := strings.Cut(told, "launchctl bootout system/org.dnsmus\n"); strings.Count(last, "launchctl bootstrap system") != 6 {
		t.Errorf("it does not wait for the old job to end:\n%s", told)
	}
	if got := read(t, list); got != "nameserver 10.9.0.53\n" {
		t.Errorf("the list is overwritten: %s", got)
	}
	told = m.run("uninstall")
	for _, want := range []string{
		"networksetup -setdnsservers Wi-Fi empty\n", "networksetup -setdnsservers USB 10/100 LAN 192.0.2.1 2001:db8::1\n",
		"launchctl bootout system/org.dnsmus\n", "dscl . -delete /Users/_dnsmus\n", "dscl . -delete /Groups/_dnsmus\n",
	} {
		if !strings.Contains(told, want) {
			t.Errorf("uninstall does not call %q:\n%s", want, told)
		}
	}
	for _, name := range []string{"usr/local/bin/dnsmus", "Library/LaunchDaemons/org.dnsmus.plist", "etc/newsyslog.d/dnsmus.conf", "var/db/dnsmus.dns"} {
		if _, err := os.Stat(filepath.Join(m.root, name)); err == nil {
			t.Errorf("%s stays", name)
		}
	}
}

// A Mac without a network has no resolv.conf: it is told what to write.
func TestInstallWithoutNetwork(t *testing.T) {
	m := newMac(t)
	if err := os.Remove(filepath.Join(m.root, "etc/resolv.conf")); err != nil {
		t.Fatal(err)
	}
	if told := m.run("install", filepath.Join(m.root, "dnsmus")); !strings.Contains(told, "-setdnsservers Wi-Fi 127.0.0.1\n") {
		t.Errorf("it ends early:\n%s", told)
	}
}

func TestShell(t *testing.T) {
	testkit.Need(t, false, "shellcheck")
	if out, err := exec.Command("shellcheck", "--shell=sh", "install", "uninstall").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

//go:build linux

// Package rc_test checks the scripts by which FreeBSD, OpenBSD and OpenWrt run dnsmus: in place
// of what these systems bring along they get functions that print what would be run.
package rc_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestScripts(t *testing.T) {
	for _, test := range []struct{ script, include, system, program, key, stanza string }{
		{
			"freebsd", ". /etc/rc.subr", `load_rc_config() { :; }; run_rc_command() { echo "$command $command_args"; }`,
			"/usr/local/bin/dnsmus", ".:53", "dnsmus /etc/resolv.conf.dnsmus",
		},
		{
			"freebsd", ". /etc/rc.subr", `load_rc_config() { dnsmus_to="links 192.0.2.1" dnsmus_user=daemon; }; run_rc_command() { echo "$dnsmus_user$command_args"; }`,
			"/usr/local/bin/dnsmus", ".:53", "dnsmus links 192.0.2.1",
		},
		{"openbsd", ". /etc/rc.d/rc.subr", `rc_cmd() { echo "$daemon $daemon_flags"; }`, "/usr/local/bin/dnsmus", ".:53", "dnsmus /etc/resolv.conf.dnsmus"},
		{
			"openwrt", "USE_PROCD=1", `procd_open_instance() { :; }; procd_close_instance() { :; }; procd_set_param() { [ "$1" != command ] || echo "$@"; }`,
			"/usr/bin/dnsmus", ".:5553", "dnsmus /tmp/resolv.conf.d/resolv.conf.auto",
		},
	} {
		text, err := os.ReadFile(test.script)
		if err != nil {
			t.Fatal(err)
		}
		script := strings.Replace(string(text), test.include, test.system, 1)
		if test.script == "openwrt" {
			script += "\nstart_service\n"
		}
		out, err := exec.Command("sh", "-c", script, test.script, "start").CombinedOutput()
		_, line, found := strings.Cut(string(out), test.program+" ")
		if err != nil || !found {
			t.Errorf("%s runs %s, %v", test.script, out, err)
			continue
		}
		corefile, err := exec.Command(testkit.Binary(t), append([]string{"-corefile"}, strings.Fields(line)...)...).CombinedOutput()
		if want := test.key + " {\n    bind 127.0.0.1\n    " + test.stanza + " {\n"; err != nil || !strings.HasPrefix(string(corefile), want) {
			t.Errorf("%s runs %s, %v, which stands for\n%s", test.script, line, err, corefile)
		}
		if test.key == ".:53" && !strings.Contains(line, "-user ") {
			t.Errorf("%s runs it as root: %s", test.script, line)
		}
	}
}

func TestShell(t *testing.T) {
	testkit.Need(t, false, "shellcheck")
	for script, shell := range map[string]string{"freebsd": "sh", "openbsd": "ksh", "openwrt": "sh"} {
		// The systems read the variables, and have what is included.
		if out, err := exec.Command("shellcheck", "--shell="+shell, "--exclude=SC2034,SC1091", script).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

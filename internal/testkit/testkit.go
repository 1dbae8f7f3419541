// Package testkit is what the tests of several packages need: real programs that
// are run and waited for, and resolvers that do as a test says.
package testkit

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// Patience bounds every wait of a test. It says nothing about how fast the things
// waited for are: it only has to be enough on a busy machine.
const Patience = 2 * time.Minute

var debianPackage = map[string]string{
	"apt-get":                 "apt",
	"bash":                    "bash",
	"chromium-headless-shell": "chromium-headless-shell",
	"dbus-daemon":             "dbus-daemon",
	"debootstrap":             "debootstrap",
	"dig":                     "bind9-dnsutils",
	"dnsdist":                 "dnsdist",
	"dnsmasq":                 "dnsmasq-base",
	"dnssec-keygen":           "bind9-utils",
	"dnssec-signzone":         "bind9-utils",
	"dpkg-deb":                "dpkg",
	"gcc":                     "gcc",
	"getent":                  "libc-bin",
	"git":                     "git",
	"ip":                      "iproute2",
	"iptables":                "iptables",
	"kdig":                    "knot-dnsutils",
	"lexgrog":                 "man-db",
	"lintian":                 "lintian",
	"man":                     "man-db",
	"musl-gcc":                "musl-tools",
	"named":                   "bind9",
	"nft":                     "nftables",
	"node":                    "nodejs",
	"nsenter":                 "util-linux",
	"plistutil":               "libplist-utils",
	"prometheus":              "prometheus",
	"promtool":                "prometheus",
	"rpm":                     "rpm",
	"rpmlint":                 "rpmlint",
	"runc":                    "runc",
	"setpriv":                 "util-linux",
	"sha256sum":               "coreutils",
	"shellcheck":              "shellcheck",
	"systemd-analyze":         "systemd",
	"systemd-nspawn":          "systemd-container",
	"tar":                     "tar",
	"unbound":                 "unbound",
	"unzip":                   "unzip",
	"zip":                     "zip",
}

// Need skips the test where it cannot run: without root, if it needs that, or
// without one of the tools.
func Need(t testing.TB, root bool, tools ...string) {
	t.Helper()
	if root && os.Getuid() != 0 {
		Lack(t, "root, for namespaces")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			Lack(t, "%s: apt-get install %s", tool, debianPackage[tool])
		}
	}
}

// Lack ends a test that needs what is not there. CI has everything, so there it
// fails instead of being skipped: a test that is always skipped shows nothing.
func Lack(t testing.TB, format string, args ...any) {
	t.Helper()
	what := "needs " + fmt.Sprintf(format, args...)
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// Long skips a test that takes minutes, unless such are wanted.
func Long(t testing.TB) {
	t.Helper()
	if os.Getenv("LONG") == "" {
		t.Skip("takes long: run with LONG=1")
	}
}

// Times is how often something is done: less where Long tests are not wanted.
func Times(quick, long int) int {
	if os.Getenv("LONG") == "" {
		return quick
	}
	return long
}

// prepare lets more tests run in parallel than there are processors, unless -parallel
// says otherwise: those that do mostly wait. What is logged goes to the tests' logs.
func prepare() {
	flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0)))
	takeLog()
}

// Eventually polls until check returns nil.
func Eventually(t testing.TB, check func() error) {
	t.Helper()
	for end := time.Now().Add(Patience); ; time.Sleep(50 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

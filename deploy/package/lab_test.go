//go:build linux

// The tests build the packages, look into them, and install them into a Debian
// that is made for the purpose and booted with systemd.
package packaging

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// output runs a command to its end. It returns all that was printed.
func output(args ...string) (string, error) {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// run is output for commands that must succeed.
func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := output(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// exists tells whether there is something at the path, be it a dangling link.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// The two releases that the tests install: an old one, built twice, and one with
// another default configuration.
const oldVersion, newVersion = "0.1.0", "0.2.0"

var builds = struct{ old, again, new func() (string, error) }{
	old: sync.OnceValues(func() (string, error) {
		dir, err := checkout()
		if err != nil {
			return "", err
		}
		return build(dir, oldVersion, []string{"-A"})
	}),
	again: sync.OnceValues(func() (string, error) {
		dir, err := elsewhere()
		if err != nil {
			return "", err
		}
		return build(dir, oldVersion, []string{"-A"}, "TZ=Pacific/Auckland", "LC_ALL=C.UTF-8")
	}),
	new: sync.OnceValues(func() (string, error) {
		dir, err := elsewhere()
		if err != nil {
			return "", err
		}
		path := filepath.Join(dir, "deploy/package/Corefile")
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(path, append(text, "# Later.\n"...), 0o644); err != nil {
			return "", err
		}
		return build(dir, newVersion, []string{"-a", runtime.GOARCH})
	}),
}

// checkout is the project as it was when the tests began.
var checkout = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(testkit.Dir, "checkout")
	var err error
	for range 10 { // a file that another test's git makes for a moment may be gone before it is copied
		if _, err = output("cp", "--archive", "../..", dir); err == nil {
			break
		}
		os.RemoveAll(dir)
	}
	return dir, err
})

// elsewhere is a copy of the project with other times and modes.
func elsewhere() (string, error) {
	from, err := checkout()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(testkit.Dir, "")
	if err != nil {
		return "", err
	}
	_, err = output("sh", "-c", `umask 077 && cp -R "$1/." "$2"`, "sh", from, dir)
	return dir, err
}

// build runs the script in a checkout, as a user would, and returns the
// directory of the packages.
func build(dir, version string, flags []string, env ...string) (string, error) {
	out, err := os.MkdirTemp(testkit.Dir, "")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("deploy/package/build", append([]string{"-o", out, "-v", version}, flags...)...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), env...)
	if printed, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s in %s: %w\n%s", cmd, dir, err, printed)
	}
	return out, nil
}

// released returns the path of the package of a release with this suffix, such
// as _amd64.deb.
func released(t *testing.T, build func() (string, error), suffix string) string {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return find(t, dir, suffix)
}

func find(t *testing.T, dir, suffix string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d packages end in %s, want 1: %s", len(found), suffix, found)
	}
	return found[0]
}

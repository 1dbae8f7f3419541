//go:build linux

package testkit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Binary returns the path of the command that all is about, built with these
// flags of go build, such as -race.
func Binary(t testing.TB, flags ...string) string {
	t.Helper()
	return Build(t, append(flags, "./cmd/coredns")...)
}

// Build returns the path of a command, which is named as for go run, from the top
// of the checkout. The command is linked once for all packages that test it: it
// stays in Go's build cache.
func Build(t testing.TB, command ...string) string {
	t.Helper()
	build, _ := builds.LoadOrStore(strings.Join(command, " "), sync.OnceValues(func() (string, error) { return build(command) }))
	path, err := build.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var builds sync.Map // by what is built

func build(command []string) (string, error) {
	top, err := root()
	if err != nil {
		return "", err
	}
	if err := dependOnSources(top, command); err != nil {
		return "", err
	}
	one, err := lock(top, syscall.LOCK_EX) // or packages that are tested at the same time would all link it
	if err != nil {
		return "", err
	}
	defer one.Close()
	for range 2 { // go run starts what it has just linked from elsewhere
		out, err := goCommand(top, append([]string{"run", "-exec=echo"}, command...)...)
		if err != nil {
			return "", err
		}
		if path := strings.TrimSuffix(out, "\n"); exists(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("go run %s: the command is not kept in the build cache", strings.Join(command, " "))
}

// dependOnSources makes Go, which caches the results of tests, know that they are
// to be run again when a file changes that the command is made of: it minds the
// directories that a test opens.
func dependOnSources(top string, command []string) error {
	if strings.Contains(command[len(command)-1], "@") {
		return nil // a version does not change
	}
	const own = "{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}"
	out, err := goCommand(top, append([]string{"list", "-deps", "-f", own}, command...)...)
	if err != nil {
		return err
	}
	for _, dir := range append(strings.FieldsFunc(out, func(r rune) bool { return r == '\n' }), filepath.Join(top, "go.mod"), filepath.Join(top, "go.sum")) {
		f, err := os.Open(dir)
		if err != nil {
			return err
		}
		f.Close()
	}
	return nil
}

// DependOn does so for files that the programs of a test read: all that are in
// these directories, or the file itself. Go minds only what has a path inside the module that is
// tested.
func DependOn(t testing.TB, paths ...string) {
	t.Helper()
	for _, path := range paths {
		err := filepath.WalkDir(path, func(_ string, _ fs.DirEntry, err error) error {
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func goCommand(dir string, args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", cmd, err, errors.String())
	}
	return string(out), err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Root returns the directory of the checkout.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var root = sync.OnceValues(func() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		text, _ := os.ReadFile(filepath.Join(dir, "go.mod"))
		if strings.HasPrefix(string(text), "module github.com/dnsmus/dnsmus\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			err = errors.New("the tests do not run in a checkout")
		}
	}
	return "", err
})

//go:build linux

package testkit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
)

// The environment of a run. All processes that it starts inherit its name; with
// the other, the test binary only removes what is left of a run that was
// interrupted.
const (
	envRun  = "DNSMUS_TEST_RUN"
	envReap = "DNSMUS_TEST_REAP"
)

const prefix = "dnsmus-test-"

// Dir is the directory of this run, for what its tests share. It is the one for
// temporary files as well, so all files that the tests and their programs make
// are in it.
var Dir string

var names atomic.Int32

// Name returns a name that no other run uses. Whatever is not in Dir has to have
// one, such as a network namespace or a control group, or it is not found when the
// run could not end as it should.
func Name() string { return fmt.Sprintf("%s-%d", filepath.Base(Dir), names.Add(1)) }

// tests are those of a package; *testing.M is.
type tests interface{ Run() int }

// Main runs the tests, and ends the program.
func Main(m tests) { os.Exit(Tidy(m).Run()) }

// Tidy returns the tests as a run that leaves nothing behind: no process, network
// namespace, control group, mount or file. If it is interrupted, it cleans up
// and fails. If it is killed, or ends by its time limit, the next run does.
func Tidy(m tests) tests {
	prepare()
	return &run{tests: m}
}

type run struct {
	tests
	owned       *os.File // Dir; locked, so that others know that this run goes on
	interrupted chan os.Signal
}

func (r *run) Run() int {
	if dir := os.Getenv(envReap); dir != "" {
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
		if err := reap(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return 1
	}
	if slices.Contains(os.Args, "-test.fuzzworker") { // it is part of the run that started it
		Dir = os.Getenv(envRun)
		return r.tests.Run()
	}
	if err := r.begin(); err != nil {
		fmt.Fprintln(os.Stderr, "tests cannot begin:", err)
		return 1
	}
	code := r.tests.Run()
	signal.Stop(r.interrupted)
	close(r.interrupted)
	if err := reap(Dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	r.owned.Close()
	return code
}

func (r *run) begin() error {
	tmp := os.TempDir()
	births, err := lock(tmp, syscall.LOCK_EX) // nobody takes what is just made for a leftover
	if err != nil {
		return err
	}
	defer births.Close()
	if err := reapDead(tmp); err != nil {
		return err
	}
	if Dir, err = os.MkdirTemp(tmp, prefix); err != nil {
		return err
	}
	if r.owned, err = lock(Dir, syscall.LOCK_EX); err != nil {
		return err
	}
	if err := os.Chmod(Dir, 0o711); err != nil { // for servers that are nobody
		return err
	}
	os.Setenv("TMPDIR", Dir)
	os.Unsetenv("GOTMPDIR")
	os.Setenv(envRun, Dir)

	// go test may be killed alone.
	syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGTERM), 0)
	r.interrupted = make(chan os.Signal, 1)
	signal.Notify(r.interrupted, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		s, ok := <-r.interrupted
		if !ok {
			return
		}
		fmt.Fprintln(os.Stderr, s, "ends the tests")
		// In place of this program, so that no test goes on meanwhile.
		os.Unsetenv(envRun)
		err := syscall.Exec("/proc/self/exe", os.Args[:1], append(os.Environ(), envReap+"="+Dir))
		panic(err)
	}()
	return nil
}

// lock opens a file or directory, and locks it until it is closed, or the process
// ends.
func lock(path string, how int) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	for {
		if err = syscall.Flock(int(f.Fd()), how); err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock of %s: %w", path, err)
	}
	return f, nil
}

// reapDead removes what dead runs of this user left.
func reapDead(tmp string) error {
	dirs, err := filepath.Glob(filepath.Join(tmp, prefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Getuid()) {
			continue
		}
		owner, err := lock(dir, syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, fs.ErrNotExist) {
			continue // it goes on, or cleans up
		}
		if err != nil {
			return err
		}
		err = reap(dir)
		owner.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

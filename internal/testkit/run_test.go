//go:build linux

package testkit

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

// made is what the victim makes.
type made struct {
	Paths []string // a network namespace, a control group, files
	Pids  []int
	Mount string
}

// exists tells of the first thing that is still there.
func (m made) exists() error {
	for _, path := range m.Paths {
		if exists(path) {
			return fmt.Errorf("%s is there", path)
		}
	}
	for _, pid := range m.Pids {
		if cmd, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); len(cmd) > 0 { // zombies have none
			return fmt.Errorf("process %d is there: %q", pid, cmd)
		}
	}
	if mounts, err := os.ReadFile("/proc/self/mounts"); err != nil || strings.Contains(string(mounts), m.Mount) {
		return fmt.Errorf("%s is mounted: %v", m.Mount, err)
	}
	return nil
}

// TestVictim makes all that tests make, and waits to be interrupted. It is run by
// the tests below, in a process of its own.
func TestVictim(t *testing.T) {
	if os.Getenv("VICTIM") == "" {
		return
	}
	ns, mount, file := Name(), filepath.Join(Dir, "mount"), filepath.Join(t.TempDir(), "file")
	group := ""
	for _, hierarchy := range []string{cgroups + "/systemd", cgroups} {
		if exists(hierarchy + "/cgroup.procs") {
			group = filepath.Join(hierarchy, ns)
			break
		}
	}
	for _, dir := range []string{mount, group} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"ip", "netns", "add", ns}, {"mount", "-t", "tmpfs", "victim", mount}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args, err, out)
		}
	}
	m := made{Paths: []string{Dir, filepath.Join(netns, ns), group, file}, Mount: mount}
	for _, args := range [][]string{
		{"setsid", "sleep", "600"},
		{"ip", "netns", "exec", ns, "env", "-i", "sleep", "600"},
		{"sh", "-c", "echo $$ >" + group + "/cgroup.procs; exec env -i sleep 600"},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		m.Pids = append(m.Pids, cmd.Process.Pid)
		Eventually(t, func() error { // the shell has written
			if text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid)); !strings.HasPrefix(string(text), "sleep\x00") {
				return fmt.Errorf("%s is still %q", cmd, text)
			}
			return nil
		})
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("\n%s\n", text)
	time.Sleep(10 * time.Minute)
}

// victim runs TestVictim with tmp as the directory for temporary files, and
// returns when it has made everything; ok is false if it ended before.
func victim(t *testing.T, tmp, limit string, through ...string) (cmd *exec.Cmd, m made, ok bool) {
	t.Helper()
	args := append(through, os.Args[0], "-test.run=^TestVictim$", "-test.timeout="+limit)
	cmd = exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "VICTIM=1", "TMPDIR="+tmp)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	printed := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if json.Unmarshal(lines.Bytes(), &m) == nil {
			return cmd, m, true
		}
		printed += lines.Text() + "\n"
	}
	cmd.Wait()
	t.Logf("the victim, with limit %s: %s\n%s", limit, cmd.ProcessState, printed)
	return cmd, m, false
}

// another run of the tests, which ends as it should.
func another(t *testing.T, tmp string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("another run: %v\n%s", err, out)
	}
}

func TestInterruptCleansUp(t *testing.T) {
	Need(t, true, "ip")
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			tmp := t.TempDir()
			cmd, made, ok := victim(t, tmp, "10m")
			if !ok {
				t.Fatal("no victim")
			}
			another(t, tmp)
			if made.exists() == nil {
				t.Fatal("another run disturbs this one")
			}
			cmd.Process.Signal(s)
			if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() < 1 {
				t.Errorf("it ends with %v, want a failure of its own", cmd.ProcessState)
			}
			if err := made.exists(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNextRunCleansUp after runs that could not.
func TestNextRunCleansUp(t *testing.T) {
	Need(t, true, "ip")
	ends := map[string]func(cmd *exec.Cmd){
		"killed": func(cmd *exec.Cmd) { cmd.Process.Kill() },
		"quit":   func(cmd *exec.Cmd) { cmd.Process.Signal(syscall.SIGQUIT) }, // by go test, in the end
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tmp := t.TempDir()
			cmd, made, ok := victim(t, tmp, "10m")
			if !ok {
				t.Fatal("no victim")
			}
			end(cmd)
			cmd.Wait()
			another(t, tmp)
			if err := made.exists(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("time limit", func(t *testing.T) {
		t.Parallel()
		tmp := t.TempDir()
		for limit := time.Second; ; limit *= 2 { // until it is enough to begin
			if cmd, made, ok := victim(t, tmp, limit.String()); ok {
				cmd.Wait()
				if cmd.ProcessState.Success() || made.exists() == nil {
					t.Errorf("%s: there was nothing to clean up", cmd.ProcessState)
				}
				another(t, tmp)
				if err := made.exists(); err != nil {
					t.Error(err)
				}
				return
			}
			if limit > Patience {
				t.Fatal("no victim")
			}
		}
	})
}

// TestParentIsKilled: go test alone, and not the tests that it has started.
func TestParentIsKilled(t *testing.T) {
	Need(t, true, "ip")
	cmd, made, ok := victim(t, t.TempDir(), "10m", "sh", "-c", `"$@" & wait`, "sh")
	if !ok {
		t.Fatal("no victim")
	}
	cmd.Process.Kill()
	Eventually(t, made.exists)
}

// TestBuild wants the same file from two who need it.
func TestBuild(t *testing.T) {
	path := Build(t, "./cmd/nodelink")
	again, err := build([]string{"./cmd/nodelink"})
	if err != nil || again != path || strings.HasPrefix(path, Dir) {
		t.Errorf("first %s, then %s: %v", path, again, err)
	}
	if out, err := exec.Command(path).CombinedOutput(); err == nil || !strings.Contains(string(out), "usage") {
		t.Errorf("%s: %v\n%s", path, err, out)
	}
}

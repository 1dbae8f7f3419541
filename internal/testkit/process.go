//go:build linux

package testkit

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Process is a server that runs until the end of the test.
type Process struct {
	t    testing.TB
	cmd  *exec.Cmd
	log  string        // the file that it prints to
	done chan struct{} // closed when it has ended
}

// Start runs a server, in a process group of its own that does not outlive the
// tests, however they end. What it prints is shown if the test fails.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	// A file and not a pipe, which children that outlive the server hold open.
	log, err := os.CreateTemp(Dir, "*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p := &Process{t: t, cmd: cmd, log: log.Name(), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.Kill()
		printed := p.Printed()
		for _, bug := range []string{"panic", "DATA RACE"} { // CoreDNS recovers from panics
			if strings.Contains(printed, bug) {
				t.Errorf("%s printed %q:\n%s", cmd, bug, printed)
			}
		}
		if t.Failed() {
			t.Logf("%s printed at last:\n%s", cmd, printed[max(0, len(printed)-4096):])
		}
	})
	return p
}

// Pid is the process's id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// State is how the process ended, for people; it is of use after Done.
func (p *Process) State() string { return p.cmd.String() + ": " + p.cmd.ProcessState.String() }

// ExitCode is of use after Done; it is -1 if a signal ended the process.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Printed is all that the process has printed so far.
func (p *Process) Printed() string {
	p.t.Helper()
	text, err := os.ReadFile(p.log)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// Signal sends s to the process and its children.
func (p *Process) Signal(s syscall.Signal) {
	select {
	case <-p.done:
	default:
		syscall.Kill(-p.Pid(), s)
	}
}

// Kill ends the process as a crash would.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
}

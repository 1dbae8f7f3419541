//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// child returns a command that dies with this process, and when ctx is done.
func child(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 2 * time.Second
	return cmd
}

// self returns a command that runs one of this program's own processes.
func self(ctx context.Context, args ...string) (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return child(ctx, exe, args...), nil
}

// runSelf does what a hidden subcommand says. It reports whether there is one.
func runSelf(args []string) (hidden bool, err error) {
	if len(args) > 1 {
		switch args[0] {
		case "fakes":
			return true, runFakes(args[1:])
		case "load":
			return true, runLoad(args[1:])
		}
	}
	return false, nil
}

// fakes is a process of fake upstreams.
type fakes struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	addrs []string
}

// startFakes starts one fake for each word; see parseFake.
func startFakes(ctx context.Context, specs ...string) (*fakes, error) {
	cmd, err := self(ctx, append([]string{"fakes"}, specs...)...)
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	f := &fakes{cmd: cmd, stdin: stdin}
	if err := json.NewDecoder(stdout).Decode(&f.addrs); err != nil {
		f.stop()
		return nil, fmt.Errorf("fakes: %w", err)
	}
	return f, nil
}

// wake makes those answer that sleep.
func (f *fakes) wake() error {
	_, err := f.stdin.Write([]byte{'\n'})
	return err
}

func (f *fakes) stop() {
	f.stdin.Close()
	f.cmd.Wait()
}

func (f *fakes) cpu() time.Duration { return cpuTime(f.cmd.Process.Pid) }

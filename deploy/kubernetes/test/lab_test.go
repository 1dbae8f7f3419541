//go:build linux

// Package kubernetes holds the tests of the chart, of the kustomize base and of
// the image. They need no cluster: what the API server would check is checked
// with its own code, and nodes are network namespaces in which runc runs the
// containers as the DaemonSet describes them.
package kubernetes

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of a test. It says nothing about how fast the
// things waited for are: it only has to be enough on a busy machine.
const patience = time.Minute

const (
	checkout  = "../../.."
	chart     = "../chart"
	kustomize = "../kustomize"
)

var workDir string // of this run of the tests

func TestMain(m *testing.M) {
	var err error
	if workDir, err = os.MkdirTemp("", "dnsmus-kubernetes-"); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := os.RemoveAll(workDir); err != nil {
		panic(err)
	}
	os.Exit(code)
}

var debianPackage = map[string]string{
	"dig":  "bind9-dnsutils",
	"git":  "git",
	"ip":   "iproute2",
	"nft":  "nftables",
	"runc": "runc",
	"tar":  "tar",
}

// need skips the test where it cannot run. CI has everything, so there it fails
// instead: a test that is always skipped shows nothing.
func need(t *testing.T, root bool, tools ...string) {
	t.Helper()
	lack := t.Skip
	if os.Getenv("CI") != "" {
		lack = t.Fatal
	}
	if root && os.Getuid() != 0 {
		lack("needs root for network namespaces and containers")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			lack(fmt.Sprintf("needs %s: apt-get install %s", tool, debianPackage[tool]))
		}
	}
}

// run runs a program, which must succeed, and returns its standard output.
func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := output(exec.Command(args[0], args[1:]...))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// output is what a program prints; the error holds what it says beside.
func output(cmd *exec.Cmd) (string, error) {
	var out, errors strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errors
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s%s", cmd, err, out.String(), errors.String())
	}
	return out.String(), nil
}

var helmBinary = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("go", "install", "helm.sh/helm/v3/cmd/helm@v3.22.0")
	cmd.Env = append(os.Environ(), "GOBIN="+workDir, "GOFLAGS=-mod=mod")
	_, err := output(cmd)
	return filepath.Join(workDir, "helm"), err
})

// helm runs it for a cluster in the namespace where dnsmus belongs. A Helm that
// `go install` makes does not know of itself for which Kubernetes it is.
func helm(t *testing.T, command string, args ...string) (string, error) {
	t.Helper()
	binary, err := helmBinary()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{command, "--kube-version=1.37", "--namespace=kube-system"}, args...)
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+workDir, "HELM_CONFIG_HOME="+workDir, "HELM_DATA_HOME="+workDir)
	return output(cmd)
}

// host is a network namespace: a node, a pod, or a machine elsewhere.
type host struct {
	*testing.T
	ns     string
	inside chan func() // to be run in the namespace
}

var hosts atomic.Int32

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{T: t, ns: fmt.Sprintf("dnsmus-k8s-%d-%d", os.Getpid(), hosts.Add(1)), inside: make(chan func())}
	run(t, "ip", "netns", "add", h.ns)
	t.Cleanup(func() {
		close(h.inside)
		run(t, "ip", "netns", "delete", h.ns)
	})
	ns, err := os.Open("/var/run/netns/" + h.ns)
	if err != nil {
		t.Fatal(err)
	}
	go h.workInside(ns)
	h.ip("link set lo up")
	return h
}

// ip runs ip(8) in the host.
func (h *host) ip(args string) {
	h.Helper()
	run(h.T, append([]string{"ip", "-netns", h.ns}, strings.Fields(args)...)...)
}

// write makes a file by rename, as those who write resolver files do.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// process is a server that runs until the end of the test.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  string        // the file that it prints to
	done chan struct{} // closed when it has ended
}

// start runs a server. What it prints is shown if the test fails.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	log, err := os.CreateTemp(workDir, "*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p := &process{t: t, cmd: exec.Command(args[0], args[1:]...), log: log.Name(), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	// Nothing outlives the tests, however they end; runc passes SIGTERM on.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
		printed := p.printed()
		if strings.Contains(printed, "panic") {
			t.Errorf("%s panicked", p.cmd)
		}
		if t.Failed() {
			t.Logf("%s printed at last:\n%s", p.cmd, printed[max(0, len(printed)-4096):])
		}
	})
	return p
}

// printed is all that the process has printed so far.
func (p *process) printed() string {
	p.t.Helper()
	text, err := os.ReadFile(p.log)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// hasEnded tells whether the process has.
func (p *process) hasEnded() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// eventually polls until check returns nil.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

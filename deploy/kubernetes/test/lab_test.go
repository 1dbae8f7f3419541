//go:build linux

// Package kubernetes holds the tests of the chart, of the kustomize base and of
// the image. They need no cluster: what the API server would check is checked
// with its own code, and nodes are network namespaces in which runc runs the
// containers as the DaemonSet describes them.
package kubernetes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

const (
	checkout  = "testdata/checkout" // a link, so that Go takes files there for those of this module
	chart     = checkout + "/deploy/kubernetes/chart"
	kustomize = "../kustomize"
)

func TestMain(m *testing.M) { testkit.Main(m) }

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

// helm runs it for a cluster in the namespace where dnsmus belongs. A Helm that
// `go install` makes does not know of itself for which Kubernetes it is.
func helm(t *testing.T, command string, args ...string) (string, error) {
	t.Helper()
	binary := testkit.Build(t, "helm.sh/helm/v3/cmd/helm@v3.22.0")
	testkit.DependOn(t, checkout+"/deploy/kubernetes")
	fixed := []string{command, "--namespace=kube-system"}
	if command != "package" {
		fixed = append(fixed, "--kube-version=1.37")
	}
	cmd := exec.Command(binary, append(fixed, args...)...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+testkit.Dir, "HELM_CONFIG_HOME="+testkit.Dir, "HELM_DATA_HOME="+testkit.Dir)
	return output(cmd)
}

// host is a network namespace: a node, a pod, or a machine elsewhere.
type host struct {
	*testing.T
	ns     string
	inside chan func() // to be run in the namespace
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{T: t, ns: testkit.Name(), inside: make(chan func())}
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

// start runs a server until the end of the test. What it prints is shown if the
// test fails.
func start(t *testing.T, args ...string) *testkit.Process {
	t.Helper()
	return testkit.Start(t, exec.Command(args[0], args[1:]...))
}

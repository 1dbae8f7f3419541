//go:build linux

package kubernetes

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

const clusterDNS = "10.96.0.10" // address of the service kube-dns

// node is a host that runs pods as kubelet and a container runtime would.
type node struct {
	*host
	files string // the node's root directory, as far as pods mount it
	pods  int
}

// pod is one of the DaemonSet, whose init containers have run.
type pod struct {
	node    *node
	spec    corev1.PodSpec
	volumes map[string]string // directories by name
}

// container is a running one.
type container struct {
	*testkit.Process
	t  *testing.T
	id string
}

// newNode makes a node, with a bridge for pods that are not on its network.
func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{host: newHost(t), files: t.TempDir()}
	n.ip("link add cni0 type bridge")
	n.ip("link set cni0 up")
	n.ip("address add 10.244.0.1/24 dev cni0")
	n.ip("address add fd44::1/64 dev cni0 nodad")
	for _, key := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		run(t, "ip", "netns", "exec", n.ns, "sh", "-c", "echo 1 >/proc/sys/net/"+key)
	}
	return n
}

// podHost makes the host of a pod with a network of its own. The number is the
// last of its addresses.
func (n *node) podHost(number int) *host {
	n.Helper()
	h := newHost(n.T)
	n.ip(fmt.Sprintf("link add veth%d master cni0 up type veth peer name eth0 netns %s", number, h.ns))
	h.ip(fmt.Sprintf("address add 10.244.0.%d/24 dev eth0", number))
	h.ip(fmt.Sprintf("address add fd44::%d/64 dev eth0 nodad", number))
	h.ip("link set eth0 up")
	h.ip("route add default via 10.244.0.1")
	h.ip("route add default via fd44::1")
	return h
}

// addPod starts a pod of the DaemonSet, up to the end of its init containers.
func (n *node) addPod(m manifests) *pod {
	n.Helper()
	n.pods++
	p := &pod{node: n, spec: m.daemonSet(n.T).Spec.Template.Spec, volumes: make(map[string]string)}
	for _, v := range p.spec.Volumes {
		switch {
		case v.ConfigMap != nil:
			p.volumes[v.Name] = filepath.Join(n.files, fmt.Sprint("pod", n.pods), v.Name)
			p.configure(v.Name, get[*corev1.ConfigMap](n.T, m, "ConfigMap/"+v.ConfigMap.Name).Data)
		case v.HostPath != nil:
			p.volumes[v.Name] = filepath.Join(n.files, v.HostPath.Path)
			if info, err := os.Stat(p.volumes[v.Name]); err != nil || !info.IsDir() {
				n.Fatalf("the node has no directory %s: %v", v.HostPath.Path, err)
			}
		default:
			n.Fatalf("volume %s is of an unknown kind", v.Name)
		}
	}
	for _, c := range p.spec.InitContainers {
		init := p.start(c)
		<-init.Done()
		if init.ExitCode() != 0 {
			n.Fatalf("init container %s: %v\n%s", c.Name, init.State(), init.Printed())
		}
	}
	return p
}

// configure writes a ConfigMap as kubelet does: files are links into a
// directory of this version, and a link to that is replaced.
func (p *pod) configure(volume string, data map[string]string) {
	t := p.node.T
	t.Helper()
	dir := p.volumes[volume]
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	version, err := os.MkdirTemp(dir, "..version-")
	if err == nil {
		err = os.Chmod(version, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range data {
		write(t, filepath.Join(version, name), text)
		os.Symlink("..data/"+name, filepath.Join(dir, name)) // it may be there
	}
	next := filepath.Join(dir, "..data_tmp")
	if err := os.Symlink(filepath.Base(version), next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
}

// start runs a container of the pod.
func (p *pod) start(c corev1.Container) *container {
	t := p.node.T
	t.Helper()
	bundle := t.TempDir()
	config, err := json.Marshal(p.runtimeConfig(c))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(bundle, "config.json"), string(config))
	id := testkit.Name()
	t.Cleanup(func() { runc("delete", "--force", id) }) // after process's cleanup
	return &container{start(t, "runc", "--root="+runcRoot(), "run", "--bundle="+bundle, id), t, id}
}

// server starts the pod's one container and waits until it listens. It looks
// at what it prints, because others may answer at the same address.
func (p *pod) server() *container {
	p.node.Helper()
	c := p.start(p.spec.Containers[0])
	testkit.Eventually(p.node.T, func() error {
		if printed := c.Printed(); !strings.Contains(printed, "CoreDNS-") {
			select {
			case <-c.Done():
				p.node.Fatalf("the server has ended: %s", printed)
			default:
			}
			return fmt.Errorf("the server does not come up: %s", printed)
		}
		return nil
	})
	return c
}

func runcRoot() string { return filepath.Join(testkit.Dir, "runc") }

func runc(args ...string) (string, error) {
	return output(exec.Command("runc", append([]string{"--root=" + runcRoot()}, args...)...))
}

// kill ends the container with SIGKILL, as when it is out of memory.
func (c *container) kill() {
	c.t.Helper()
	if _, err := runc("kill", c.id, "KILL"); err != nil {
		c.t.Fatal(err)
	}
	<-c.Done()
}

// terminate begins the end of the container.
func (c *container) terminate() { syscall.Kill(c.Pid(), syscall.SIGTERM) }

// status is a line of proc_pid_status(5) of the container's process.
func (c *container) status(key string) string {
	c.t.Helper()
	out, err := runc("state", c.id)
	var state struct{ Pid int }
	if err == nil {
		err = json.Unmarshal([]byte(out), &state)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", state.Pid))
	if err != nil {
		c.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.Join(strings.Fields(rest), " ")
		}
	}
	return ""
}

// runtimeConfig is what a container runtime makes of the manifest for runc.
// Capabilities are, as with containerd and CRI-O, bounding, effective and
// permitted, but neither inheritable nor ambient.
func (p *pod) runtimeConfig(c corev1.Container) map[string]any {
	t := p.node.T
	t.Helper()
	root, config := rootFS(t)
	s := c.SecurityContext
	if len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" {
		t.Fatalf("container %s keeps capabilities that a runtime gives by default", c.Name)
	}
	capabilities := []string{}
	for _, name := range s.Capabilities.Add {
		capabilities = append(capabilities, "CAP_"+string(name))
	}
	args := append(config.Entrypoint, c.Args...)
	if len(c.Command) > 0 {
		args = append(c.Command, c.Args...)
	}
	mounts := []map[string]any{
		{"destination": "/proc", "type": "proc", "source": "proc"},
		{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "mode=755"}},
	}
	for _, m := range c.VolumeMounts {
		access := "rw"
		if m.ReadOnly {
			access = "ro"
		}
		mounts = append(mounts, map[string]any{
			"destination": m.MountPath, "type": "bind", "source": p.volumes[m.Name], "options": []string{"rbind", access},
		})
	}
	env := []string{"KUBE_DNS_SERVICE_HOST=" + clusterDNS}
	for _, e := range c.Env {
		env = append(env, e.Name+"="+e.Value)
	}
	namespaces := []map[string]any{{"type": "network", "path": "/var/run/netns/" + p.node.ns}}
	for _, kind := range []string{"pid", "mount", "ipc", "uts"} {
		namespaces = append(namespaces, map[string]any{"type": kind})
	}
	return map[string]any{
		"ociVersion": "1.0.2",
		"root":       map[string]any{"path": root, "readonly": *s.ReadOnlyRootFilesystem},
		"mounts":     mounts,
		"linux":      map[string]any{"namespaces": namespaces},
		"process": map[string]any{
			"cwd":  "/",
			"args": args,
			"env":  env,
			"user": map[string]any{"uid": *p.spec.SecurityContext.RunAsUser, "gid": *p.spec.SecurityContext.RunAsGroup},
			"capabilities": map[string]any{
				"bounding": capabilities, "effective": capabilities, "permitted": capabilities,
			},
			"noNewPrivileges": !*s.AllowPrivilegeEscalation,
		},
	}
}

type imageConfig struct{ Entrypoint []string }

var unpacked struct {
	sync.Once
	root string
	err  error
}

// rootFS unpacks the image of this machine's architecture, once.
func rootFS(t *testing.T) (string, imageConfig) {
	t.Helper()
	img := images(t, image(t).index(t))["linux/"+runtime.GOARCH]
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	unpacked.Do(func() {
		unpacked.root = filepath.Join(testkit.Dir, "rootfs")
		unpacked.err = os.Mkdir(unpacked.root, 0o755)
		manifest, err := img.Manifest()
		if unpacked.err != nil || err != nil {
			return
		}
		layer := filepath.Join(image(t).dir, "blobs", "sha256", manifest.Layers[0].Digest.Hex)
		_, unpacked.err = output(exec.Command("tar", "-C", unpacked.root, "-xpzf", layer,
			"--xattrs", "--xattrs-include=security.capability"))
	})
	if unpacked.err != nil {
		t.Fatal(unpacked.err)
	}
	return unpacked.root, imageConfig{config.Config.Entrypoint}
}

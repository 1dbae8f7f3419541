//go:build linux

package packaging

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// debian is the root of a minimal Debian with systemd, of the release that this
// machine runs. Tests take copies of it.
var debian = sync.OnceValues(func() (string, error) { return bootstrap("debian") })

// bootstrap makes a Debian with systemd and these packages.
func bootstrap(name string, packages ...string) (root string, err error) {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", err
	}
	_, suite, ok := strings.Cut(string(release), "\nVERSION_CODENAME=")
	if !ok {
		return "", errors.New("/etc/os-release has no VERSION_CODENAME")
	}
	suite, _, _ = strings.Cut(suite, "\n")
	root = filepath.Join(testkit.Dir, name)
	for range 3 { // what it loads may not come at once
		if _, err = output("debootstrap", "--variant=minbase", "--include="+strings.Join(append([]string{"systemd"}, packages...), ","), suite, root); err == nil {
			break
		}
		os.RemoveAll(root)
	}
	return root, err
}

// machine is a Debian of a test's own.
type machine struct {
	*testing.T
	root string // its files, seen from here
}

// newMachine makes a machine that is switched off.
func newMachine(t *testing.T) *machine {
	t.Helper()
	return newMachineFrom(t, debian)
}

func newMachineFrom(t *testing.T, base func() (string, error)) *machine {
	t.Helper()
	testkit.Long(t)
	testkit.Need(t, true, "git", "dpkg-deb", "debootstrap")
	from, err := base()
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t, filepath.Join(t.TempDir(), "root")}
	run(t, "cp", "--archive", "--reflink=auto", from, m.root)
	os.Remove(m.path("/etc/resolv.conf")) // systemd-resolved's is a link
	// The resolvers of a system with a resolver of its own in front of them.
	m.write("/etc/resolv.conf", "nameserver 127.0.0.53\nnameserver ::1\n"+lines("nameserver", upstreams...))
	return m
}

// in is the machine for a subtest.
func (m *machine) in(t *testing.T) *machine { return &machine{t, m.root} }

func (m *machine) path(path string) string { return filepath.Join(m.root, path) }

func (m *machine) read(path string) string {
	m.Helper()
	return read(m.T, m.path(path))
}

func (m *machine) write(path, text string) {
	m.Helper()
	write(m.T, m.path(path), text)
}

// files lists all there is on the disk, but for what dpkg, the journal and the
// clock keep for themselves.
func (m *machine) files() map[string]bool {
	m.Helper()
	all := make(map[string]bool)
	skip := []string{"/var/lib/dpkg", "/var/log", "/var/lib/systemd/timers"}
	err := filepath.WalkDir(m.root, func(path string, entry os.DirEntry, err error) error {
		name := strings.TrimPrefix(path, m.root)
		for _, prefix := range skip {
			if name == prefix {
				return filepath.SkipDir
			}
		}
		all[name] = true
		return err
	})
	if err != nil {
		m.Fatal(err)
	}
	return all
}

// expectFiles compares what is on the disk with what was.
func (m *machine) expectFiles(before map[string]bool) {
	m.Helper()
	after := m.files()
	for name := range after {
		if !before[name] {
			m.Errorf("%s was left behind", name)
		}
	}
	for name := range before {
		if !after[name] {
			m.Errorf("%s is gone", name)
		}
	}
}

// running is a machine that was booted, in a network of its own.
type running struct {
	*machine
	ns     string // its network namespace
	nspawn *os.Process
}

func (r *running) in(t *testing.T) *running { return &running{r.machine.in(t), r.ns, r.nspawn} }

// A machine needs a control group of its own, which systemd would give it where
// systemd runs: machines in the same group mistake others' processes for theirs.
const (
	enterCgroups = `set -eu
for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    [ -e "$tree/cgroup.procs" ] || continue
    mkdir "$tree/$1"
    echo $$ >"$tree/$1/cgroup.procs"
done
shift
exec "$@"`
	leaveCgroups = `find "/sys/fs/cgroup/$1" "/sys/fs/cgroup/systemd/$1" "/sys/fs/cgroup/unified/$1" -depth -type d -exec rmdir {} +`
)

// boot starts the machine, which may set up its own links. The addresses are put on its
// loopback interface.
func (m *machine) boot(addresses ...string) *running {
	m.Helper()
	testkit.Need(m.T, true, "ip", "dig", "nsenter", "systemd-nspawn")
	ns := testkit.Name()
	run(m.T, "ip", "netns", "add", ns)
	m.Cleanup(func() { run(m.T, "ip", "netns", "delete", ns) })
	run(m.T, "ip", "-netns", ns, "link", "set", "lo", "up")
	for _, address := range addresses {
		run(m.T, "ip", "-netns", ns, "address", "add", address, "dev", "lo")
	}

	m.Cleanup(func() { output("sh", "-c", leaveCgroups, "sh", ns) })
	cmd := m.start("sh", "-c", enterCgroups, "sh", ns, "systemd-nspawn", "--quiet", "--capability=CAP_NET_ADMIN", "--machine="+ns, "--register=no", "--keep-unit", "--network-namespace-path=/run/netns/"+ns,
		"--resolv-conf=off", "--link-journal=no", "--directory="+m.root, "--boot", "systemd.show_status=no")
	r := &running{m, ns, cmd.Process}
	testkit.Eventually(m.T, func() error {
		_, err := r.output("systemctl", "is-active", "multi-user.target")
		return err
	})
	m.Cleanup(func() {
		if m.Failed() {
			journal, _ := r.output("journalctl", "--no-pager", "--unit=dnsmus")
			m.Logf("the service's journal:\n%s", journal)
		}
	})
	return r
}

// start runs a program until the end of the test, then asks it to end.
func (m *machine) start(args ...string) *exec.Cmd {
	m.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if m.Failed() {
			m.Logf("%s printed:\n%s", args[0], printed.String())
		}
	})
	return cmd
}

// output runs a command in the machine.
func (r *running) output(args ...string) (string, error) {
	// The machine's first process is the only child of systemd-nspawn, once it
	// is in namespaces of its own.
	pid := r.nspawn.Pid
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return "", err
	}
	leader := strings.TrimSpace(string(children))
	theirs, err := os.Readlink("/proc/" + leader + "/ns/pid")
	if err != nil {
		return "", err
	}
	if ours, err := os.Readlink("/proc/self/ns/pid"); err != nil || ours == theirs {
		return "", fmt.Errorf("the machine has not booted yet: %v", err)
	}
	return output(append([]string{"nsenter", "--all", "--target=" + leader, "env", "-i",
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}, args...)...)
}

// run is output for commands that must succeed.
func (r *running) run(args ...string) string {
	r.Helper()
	out, err := r.output(args...)
	if err != nil {
		r.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// property is one that systemd knows of the service.
func (r *running) property(name string) string {
	r.Helper()
	return r.run("systemctl", "show", "--property="+name, "--value", "dnsmus.service")
}

// dig asks dnsmus for an address.
func (r *running) dig(name string) string {
	r.Helper()
	// It fails when there is no reply.
	out, _ := output("ip", "netns", "exec", r.ns, "dig", "-r", "+short", "+tries=1", "+time=2", "@127.0.0.123", name)
	return strings.TrimSpace(out)
}

var asked atomic.Int32

// answers waits until dnsmus gives this address to names below the name, or none
// if it is empty. Each is asked for once, so that no cache matters.
func (r *running) answers(name, want string) {
	r.Helper()
	testkit.Eventually(r.T, func() error {
		if got := r.dig(fmt.Sprintf("%d.%s", asked.Add(1), name)); got != want {
			return fmt.Errorf("%s: %q, want %q", name, got, want)
		}
		return nil
	})
}

// lines joins words to lines that begin with a keyword.
func lines(keyword string, words ...string) string {
	var text strings.Builder
	for _, word := range words {
		fmt.Fprintf(&text, "%s %s\n", keyword, word)
	}
	return text.String()
}

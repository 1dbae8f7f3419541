//go:build linux

// The end-to-end tests run the hooks with the real Debian packages. Each test has
// machines of its own: this system's files with an overlay on top, into which the
// packages are installed, and namespaces for mounts, processes and the network.
// All of it is gone when the test ends.
package hooks_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// machine is a Debian system of a test's own.
type machine struct {
	*testing.T
	init int    // process id of its first process
	root string // where its files are seen from outside
}

const boot = `set -eu
mount --make-rprivate /
mount -t tmpfs -o mode=755 machine "$1"
cd "$1"
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work machine root
cd root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount --rbind /dev dev
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
ip link set lo up
exec chroot . /bin/sh -c 'echo up; sleep infinity & wait'`

// newMachine boots a machine with the hooks, dnsmus and the Debian packages.
func newMachine(t *testing.T, packages ...string) *machine {
	t.Helper()
	if len(packages) > 0 {
		testkit.Long(t)
	}
	testkit.Need(t, true, "apt-get", "dig", "ip", "nsenter")
	binary := testkit.Binary(t)

	cmd := exec.Command("/bin/sh", "-c", boot, "boot", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL, // and with the first process all others end
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		testkit.Lack(t, "namespaces: %v", err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "up\n" {
		cmd.Process.Kill()
		cmd.Wait()
		testkit.Lack(t, "mounts and overlayfs: %s", complaints.String())
	}
	m := &machine{T: t, init: cmd.Process.Pid, root: fmt.Sprintf("/proc/%d/root", cmd.Process.Pid)}

	m.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755) // no services: nobody is there to run them
	if len(packages) > 0 {
		m.install(packages...)
	}
	m.copy("dnsmus-resolv", "/usr/sbin/dnsmus-resolv")
	m.copy("openresolv", "/usr/lib/resolvconf/dnsmus")
	m.copy("resolvconf", "/etc/resolvconf/update.d/dnsmus")
	m.copy(binary, "/usr/bin/dnsmus")
	return m
}

// install is for Debian packages.
func (m *machine) install(packages ...string) {
	m.Helper()
	args := append([]string{"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qq", "-y", "--no-install-recommends"}, packages...)
	// From outside the machine's network, which leads nowhere.
	if out, err := m.enter(context.Background(), []string{"--mount", "--pid"}, args...).CombinedOutput(); err != nil {
		testkit.Lack(m.T, "Debian's packages %v (after apt-get update?): %v\n%s", packages, err, out)
	}
}

// enter prepares a program in the machine's files and the given namespaces.
func (m *machine) enter(ctx context.Context, namespaces []string, args ...string) *exec.Cmd {
	args = slices.Concat([]string{fmt.Sprintf("--target=%d", m.init), "--root", "--wd"}, namespaces, []string{"env", "--unset=TMPDIR"}, args)
	cmd := exec.CommandContext(ctx, "nsenter", args...)
	cmd.WaitDelay = 10 * time.Second // for children that hold its output open
	return cmd
}

func (m *machine) command(ctx context.Context, args ...string) *exec.Cmd {
	return m.enter(ctx, []string{"--mount", "--pid", "--net", "--ipc", "--uts"}, args...)
}

// output runs a program to its end and returns what it printed.
func (m *machine) output(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(m.Context(), testkit.Patience)
	defer cancel()
	out, err := m.command(ctx, args...).CombinedOutput()
	return string(out), err
}

// run is output for programs that must succeed.
func (m *machine) run(args ...string) string {
	m.Helper()
	out, err := m.output(args...)
	if err != nil {
		m.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// sh is run for a line of shell.
func (m *machine) sh(line string) string {
	m.Helper()
	return m.run("sh", "-euc", line)
}

// start runs a daemon until the end of the test. What it prints is shown if the
// test fails.
func (m *machine) start(args ...string) {
	m.Helper()
	log, err := os.CreateTemp(testkit.Dir, "*.log") // a pipe would wait for its children
	if err != nil {
		m.Fatal(err)
	}
	defer log.Close()
	cmd := m.command(context.Background(), args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() {
		syscall.Kill(m.init, syscall.SIGKILL)
		cmd.Wait()
		printed, err := os.ReadFile(log.Name())
		if m.Failed() {
			m.Logf("%s printed at last: %v\n%s", strings.Join(args, " "), err, printed[max(0, len(printed)-4096):])
		}
	})
}

// path is where the machine's file is seen from outside.
func (m *machine) path(name string) string { return m.root + name }

func (m *machine) write(name, text string, mode os.FileMode) {
	m.Helper()
	if err := os.MkdirAll(filepath.Dir(m.path(name)), 0o755); err != nil {
		m.Fatal(err)
	}
	os.Remove(m.path(name)) // it may be a link that leads out of the machine
	if err := os.WriteFile(m.path(name), []byte(text), mode); err != nil {
		m.Fatal(err)
	}
}

func (m *machine) copy(from, to string) {
	m.Helper()
	m.write(to, read(m.T, from), 0o755)
}

// eventually polls until check returns nil.
func (m *machine) eventually(check func() error) {
	m.Helper()
	testkit.Eventually(m.T, check)
}

// resolver runs a VPN's resolver on an address of the machine's: it knows one
// name, whose address is its own, and denies all others.
func (m *machine) resolver(addr, name string) {
	m.Helper()
	m.run("ip", "address", "replace", addr+"/32", "dev", "lo")
	m.start("dnsmus", "-conf", m.corefile(addr, name))
	m.resolves("@"+addr, name, addr)
}

// corefile writes that of a resolver, and returns its name.
func (m *machine) corefile(addr, name string) string {
	m.Helper()
	corefile := "/etc/resolver-" + addr
	m.write(corefile, fmt.Sprintf(`. {
    bind %s
    template IN A %s {
        answer "{{ .Name }} 60 IN A %s"
    }
    template ANY ANY {
        rcode NXDOMAIN
    }
}
`, addr, name, addr), 0o644)
	return corefile
}

// connect joins two machines by a cable, 192.0.2.1 and 192.0.2.2.
func (m *machine) connect(other *machine) {
	m.Helper()
	if out, err := exec.Command("ip", "link", "add", "cable", "netns", fmt.Sprint(m.init),
		"type", "veth", "peer", "name", "cable", "netns", fmt.Sprint(other.init)).CombinedOutput(); err != nil {
		m.Fatalf("ip link add: %v\n%s", err, out)
	}
	for i, end := range []*machine{m, other} {
		end.run("ip", "address", "add", fmt.Sprintf("192.0.2.%d/24", i+1), "dev", "cable")
		end.run("ip", "link", "set", "cable", "up")
	}
}

// certificate makes one for both machines, as the key, the certificate and its
// own authority. It is good for the second machine on the cable.
func (m *machine) certificate(other *machine) {
	m.Helper()
	m.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
		"-subj", "/CN=vpn.example", "-addext", "subjectAltName=IP:192.0.2.2", "-keyout", "/etc/vpn.key", "-out", "/etc/vpn.crt")
	for _, file := range []string{"/etc/vpn.crt", "/etc/vpn.key"} {
		other.write(file, read(m.T, m.path(file)), 0o600)
	}
}

// bus runs the system's D-Bus.
func (m *machine) bus() {
	m.Helper()
	m.run("mkdir", "-p", "/run/dbus")
	m.run("rm", "-f", "/run/dbus/pid", "/run/dbus/system_bus_socket") // of one that was killed
	m.start("dbus-daemon", "--system", "--nofork")
	m.eventually(func() error {
		_, err := os.Stat(m.path("/run/dbus/system_bus_socket"))
		return err
	})
}

const upstreams = "/etc/resolv.conf.dnsmus"

// dnsmus runs dnsmus as the system's resolver, with the upstreams of a file.
func (m *machine) dnsmus(file string) {
	m.Helper()
	m.write("/etc/dnsmus/Corefile", fmt.Sprintf(`. {
    bind 127.0.0.123
    dnsmus %s
    errors
}
`, file), 0o644)
	m.start("dnsmus", "-conf", "/etc/dnsmus/Corefile")
}

// resolves waits until a server, as given to dig, knows the name.
func (m *machine) resolves(server, name, addr string) {
	m.Helper()
	m.eventually(func() error {
		out, err := m.output("dig", "-r", "+short", "+tries=1", "+time=5", server, name)
		if got := strings.TrimSpace(out); got != addr {
			return fmt.Errorf("dig %s %s: %s, %v; want %s", server, name, got, err, addr)
		}
		return nil
	})
}

// knows waits until dnsmus knows the name.
func (m *machine) knows(name, addr string) {
	m.Helper()
	m.resolves("@127.0.0.123", name, addr)
}

// lists compares the servers in a file of the machine's.
func (m *machine) lists(file, want string) {
	m.Helper()
	if err := m.compare(file, want); err != nil {
		m.Fatal(err)
	}
}

// listsSoon waits until a file of the machine's has these servers.
func (m *machine) listsSoon(file, want string) {
	m.Helper()
	m.eventually(func() error { return m.compare(file, want) })
}

func (m *machine) compare(file, want string) error {
	text, err := m.output("cat", file) // from inside, for links lead out of it
	if got := nameservers(text); err != nil || got != want {
		return fmt.Errorf("%s has nameservers %q, %v; want %q", file, got, err, want)
	}
	return nil
}

// upstreamsAre compares the servers in the file that the hooks write.
func (m *machine) upstreamsAre(want string) {
	m.Helper()
	m.lists(upstreams, want)
}

// asks compares the servers that the machine's programs ask.
func (m *machine) asks(want string) {
	m.Helper()
	m.lists("/etc/resolv.conf", want)
}

// finds asks as the machine's programs do.
func (m *machine) finds(name, addr string) {
	m.Helper()
	m.eventually(func() error {
		out, err := m.output("getent", "ahostsv4", name)
		if fields := strings.Fields(out); len(fields) == 0 || fields[0] != addr {
			return fmt.Errorf("getent finds %s at %q, %v; want %s", name, out, err, addr)
		}
		return nil
	})
}

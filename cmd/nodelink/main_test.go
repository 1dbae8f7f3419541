//go:build linux

package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// node is a network namespace, and the command to be run in it.
type node struct {
	*testing.T
	ns, command string
}

func newNode(t *testing.T) *node {
	t.Helper()
	testkit.Need(t, true, "ip", "setpriv")
	return &node{T: t, ns: testkit.Netns(t), command: testkit.Build(t, "./cmd/nodelink")}
}

func (n *node) must(cmd *exec.Cmd) string {
	n.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		n.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}

func (n *node) in(args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", n.ns}, args...)...)
}

// state is all about the link's addresses but the one that the kernel gives it, which
// comes and is checked for duplicates (RFC 4862, section 5.4) when the kernel gets to it.
func (n *node) state() string {
	n.Helper()
	var state strings.Builder
	for line := range strings.Lines(n.must(n.in("ip", "-oneline", "address", "show", "dev", "local"))) {
		if !strings.Contains(line, " inet6 fe80:") {
			state.WriteString(line)
		}
	}
	return state.String()
}

// The type is one that kernels without dummy links have as well.
func TestLink(t *testing.T) {
	n := newNode(t)
	n.must(n.in(n.command, "-type", "bridge", "local", "169.254.20.10", "fd00::10"))
	made := n.state()
	for _, want := range []string{"inet 169.254.20.10/32 scope host", "inet6 fd00::10/128 scope global nodad"} {
		if !strings.Contains(made, want) || strings.Contains(made, "fd00::10/128 scope global nodad tentative") {
			t.Errorf("the interface is not as wanted, %q:\n%s", want, made)
		}
	}
	if flags := n.must(n.in("ip", "link", "show", "dev", "local")); !strings.Contains(flags, ",UP") {
		t.Errorf("the interface is not up:\n%s", flags)
	}

	n.must(n.in(n.command, "-type", "bridge", "local", "169.254.20.10", "fd00::10"))
	if again := n.state(); again != made {
		t.Errorf("the second time made a difference:\n%s\nto\n%s", again, made)
	}

	// What another did to the link is put right, and what is more is left alone.
	n.must(n.in("ip", "address", "delete", "169.254.20.10/32", "dev", "local"))
	n.must(n.in("ip", "link", "set", "local", "down"))
	n.must(n.in(n.command, "local", "169.254.20.10", "169.254.20.11"))
	if now := n.state(); !strings.Contains(now, "169.254.20.10/32") || !strings.Contains(now, "169.254.20.11/32") {
		t.Errorf("addresses are missing:\n%s", now)
	}
	if flags := n.must(n.in("ip", "link", "show", "dev", "local")); !strings.Contains(flags, ",UP") {
		t.Errorf("the interface is not up again:\n%s", flags)
	}
}

func TestErrors(t *testing.T) {
	n := newNode(t)
	without := []string{"setpriv", "--reuid=65532", "--regid=65532", "--clear-groups"}
	for _, test := range []struct {
		as   []string
		args string
		want string
	}{
		{nil, "local", "usage: nodelink"},
		{nil, "local 169.254.20", `"169.254.20" is not an IP address`},
		{nil, "local fe80::1%eth0", `"fe80::1%eth0" is not an IP address`},
		{nil, "sixteen-bytes-it 169.254.20.10", "longer than the 15 bytes"},
		{nil, "-type nosuch local 169.254.20.10", "no interfaces of type nosuch"},
		{without, "-type bridge local 169.254.20.10", "the capability NET_ADMIN is missing"},
	} {
		args := append(append(test.as, n.command), strings.Fields(test.args)...)
		out, err := n.in(args...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), test.want) {
			t.Errorf("nodelink %s: %v, printed %q, want %q", test.args, err, out, test.want)
		}
	}
	if out, err := n.in("ip", "link", "show", "dev", "local").CombinedOutput(); err == nil {
		t.Errorf("a call that failed made an interface:\n%s", out)
	}

	n.must(n.in("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6"))
	out, err := n.in(n.command, "-type", "bridge", "local", "fd00::10").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "net.ipv6.conf.local.disable_ipv6") {
		t.Errorf("IPv6 is disabled: %v, printed %q", err, out)
	}
}

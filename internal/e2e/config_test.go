//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// TestBadConfiguration starts the command with mistakes in its files. It must
// not start, and must say in which file, in which line and at which word.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"good.conf":  "nameserver 192.0.2.1\n",
		"empty.conf": "",
		"none.conf":  "# no nameserver\nsearch example\n",
		"junk.conf":  "\x00\x01junk\xff\n\nnameserver dns.example\n",
	}
	for _, test := range []struct {
		name   string
		stanza string   // in the Corefile from line 2 on
		want   []string // in the message, besides the plugin's name
	}{
		{"missing file", "dnsmus missing.conf", []string{"Corefile:2", "missing.conf", "no file of that name"}},
		{"missing file with a path", "dnsmus sub/missing.conf", []string{"Corefile:2", "sub/missing.conf", "no such file"}},
		{"empty file", "dnsmus empty.conf", []string{"Corefile:2", "empty.conf", "nameserver"}},
		{"file without nameserver", "dnsmus none.conf", []string{"Corefile:2", "none.conf", "nameserver"}},
		{"directory", "dnsmus dir.conf", []string{"Corefile:2", "dir.conf", "is a directory"}},
		{"junk file", "dnsmus junk.conf", []string{"Corefile:2", "junk.conf", "line 3", "dns.example"}},
		{"one good file of two", "dnsmus good.conf missing.conf", []string{"Corefile:2", "missing.conf"}},
		{"bad address", "dnsmus 192.0.2.256", []string{"Corefile:2", "192.0.2.256"}},
		{"bad port", "dnsmus 192.0.2.1:99999", []string{"Corefile:2", "192.0.2.1:99999"}},
		{"unknown option", "dnsmus good.conf {\n timeuot 4s\n}", []string{"Corefile:3", "timeuot", "timeout"}},
		{"repeated option", "dnsmus good.conf {\n timeout 4s\n\n timeout 5s\n}", []string{"Corefile:5", "timeout", "twice"}},
		{"bad duration", "dnsmus good.conf {\n timeout soon\n}", []string{"Corefile:3", "timeout", "soon"}},
		{"duration without unit", "dnsmus good.conf {\n patience 2\n}", []string{"Corefile:3", "patience", "2"}},
		{"duration too long", "dnsmus good.conf {\n timeout 4h\n}", []string{"Corefile:3", "timeout", "4h"}},
		{"option without value", "dnsmus good.conf {\n bogus\n}", []string{"Corefile:3", "bogus", "CIDR"}},
		{"bad value", "dnsmus good.conf {\n prefer enough\n}", []string{"Corefile:3", "prefer", "enough", "order|private"}},
		{"contradiction", "dnsmus good.conf {\n force_tcp\n prefer_udp\n}", []string{"Corefile", "force_tcp", "prefer_udp"}},
		{"two stanzas", "dnsmus good.conf\ndnsmus good.conf", []string{"Corefile:3", "dnsmus", "once"}},
		{"zone as in forward", "dnsmus . 192.0.2.1", []string{"Corefile:2", "'.'", "leave it out", "forward"}},
		{"range", "dnsmus 192.0.2.1 10.0.0.0/24", []string{"Corefile:2", "10.0.0.0/24", "address of each"}},
		{"all excepted", "dnsmus 192.0.2.1 {\n except .\n}", []string{"except", "next plugin", "forward"}},
		{"block not closed", "dnsmus good.conf {\n timeout 4s\n", []string{"Corefile:5", "bind"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := &lab{T: t, dir: t.TempDir()}
			for name, text := range files {
				l.write(name, text)
			}
			if err := os.Mkdir(filepath.Join(l.dir, "dir.conf"), 0o755); err != nil {
				t.Fatal(err)
			}
			// If it did start, it would be on this address and run until it is killed.
			corefile := l.write("Corefile", ".:5340 {\n"+test.stanza+"\nbind "+ownAddress()+"\n}\n")
			out, code := l.exits("-conf", corefile)
			if code <= 0 {
				t.Errorf("exit code %d, want it to refuse to start", code)
			}
			for _, word := range append(test.want, "plugin/dnsmus: ") {
				if !strings.Contains(out, word) {
					t.Errorf("the message does not say %q", word)
				}
			}
			if t.Failed() {
				t.Logf("it prints:\n%s", out)
			}
		})
	}
}

// exits runs the command until it ends, and returns what it printed and its
// exit code, which is negative if it has not ended in time.
func (l *lab) exits(args ...string) (out string, code int) {
	l.Helper()
	binary := testkit.Binary(l.T) // it may have to be built
	ctx, cancel := context.WithTimeout(l.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = l.dir
	text, _ := cmd.CombinedOutput()
	return string(text), cmd.ProcessState.ExitCode()
}

// TestFlags shows what the command is made of.
func TestFlags(t *testing.T) {
	l := &lab{T: t, dir: t.TempDir()}
	for _, test := range []struct {
		flag string
		want []string
	}{
		{"-version", []string{"CoreDNS-1.15.0"}},
		{"-plugins", []string{"dnsmus", "forward", "cache"}},
	} {
		out, code := l.exits(test.flag)
		words := strings.Fields(out)
		for _, want := range test.want {
			if code != 0 || !slices.Contains(words, want) {
				t.Errorf("coredns %s: exit code %d, want 0 and %s\n%s", test.flag, code, want, out)
			}
		}
	}
}

// TestVersion: the command and its metrics name the version of dnsmus, beside CoreDNS's.
func TestVersion(t *testing.T) {
	l := newLoopback(t)
	out, _ := l.exits("-version")
	_, version, found := strings.Cut(strings.TrimSpace(out), ", dnsmus-")
	if !found || version == "" {
		t.Fatalf("no version of dnsmus in:\n%s", out)
	}
	_, metrics, _ := l.server("dnsmus " + l.fake(answers))
	if n := metric(t, metrics, fmt.Sprintf("coredns_dnsmus_build_info{version=%q}", version)); n != 1 {
		t.Errorf("build_info of %s is %v", version, n)
	}
}

// TestCheck: -check says whether a Corefile can be served, by its exit code and in words, and
// listens nowhere, not even for other plugins.
func TestCheck(t *testing.T) {
	l := newLoopback(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, port, _ := net.SplitHostPort(busy.Addr().String())
	const known = "dnsmus 192.0.2.1\n"
	for _, test := range []struct {
		corefile string // of a block on the port that is taken
		code     int
		want     string
	}{
		{known + "prometheus 127.0.0.1:" + port, 0, "Corefile is valid"},
		{"dnsmus 192.0.2.1 {\ncontrol " + filepath.Join(l.dir, "control") + "\n}", 0, "Corefile is valid"},
		{"dnsmus 192.0.2.1 {\ncontrol run/control\n}", 1, "the path is not absolute"},
		{known + "forward . 192.0.2.2", 0, "The plugin forward has no effect"},
		{"dnsmus 192.0.2.1 {\nexcept home.arpa\n}", 0, "Queries for home.arpa. fail"},
		{"dnsmus 192.0.2.1 {\nexcept home.arpa\n}\nforward . 192.0.2.2", 0, "Corefile is valid"},
		{"dnsmus 192.0.2.1 {\nexcept .\n}", 1, "except leaves all names"},
		{"dnsmus 192.0.2.1 {\nchache\n}", 1, "Corefile:4 - Error during parsing: unknown option 'chache', perhaps 'cache'"},
		{"dnsmus missing.conf", 1, "missing.conf"},
		{known + "}\n.:" + port + " {\nbind 127.0.0.1\nerrors", 1, "already defined"},
		{known + "no_such_plugin", 1, "no_such_plugin"},
		{known + "{", 1, "Corefile"},
	} {
		l.write("Corefile", ".:"+port+" {\nbind 127.0.0.1\n"+test.corefile+"\n}\n")
		out, code := l.exits("-check")
		if code != test.code || !strings.Contains(out, test.want) {
			t.Errorf("%s\nexit code %d, want %d, and %q:\n%s", test.corefile, code, test.code, test.want, out)
		}
	}
	if _, err := os.Lstat(filepath.Join(l.dir, "control")); err == nil {
		t.Error("the control socket was opened")
	}
	l.write("Corefile", ".:"+port+" {\nbind 127.0.0.1\n"+known+"forward . 192.0.2.2\n}\n")
	if out, code := l.exits("-check", "-quiet"); code != 0 || out != "" {
		t.Errorf("exit code %d, want 0 and nothing: %s", code, out)
	}
	if out, code := l.exits("-check", port, "link"); code != 1 || !strings.Contains(out, "write 'links'") {
		t.Errorf("exit code %d, want 1 and what to write: %s", code, out)
	}
}

// TestCannotListen: an address that cannot be listened on is an error that says what to do.
func TestCannotListen(t *testing.T) {
	l := newLab(t)
	binary := testkit.Binary(t)
	l.start(binary, "127.0.0.1:53", "192.0.2.1")
	l.eventually(func() error {
		if r := l.dig("+time=1 @127.0.0.1 localhost"); r.status == "" {
			return errors.New(r.text)
		}
		return nil
	})
	// Another user may not share the socket, nor have a port below 1024 unless told so.
	l.run("sh", "-c", "echo 53 >/proc/sys/net/ipv4/ip_unprivileged_port_start")
	asNobody := func(args ...string) (string, error) {
		return l.output(append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary}, args...)...)
	}
	for _, test := range []struct {
		run  func() (string, error)
		want string
	}{
		{func() (string, error) { return asNobody("127.0.0.1:53", "192.0.2.1") }, "address already in use; another program listens there, and 'ss -lntup'"},
		{func() (string, error) { return asNobody("127.0.0.1:52", "192.0.2.1") }, "permission denied; run it as root"},
		{func() (string, error) { return l.output(binary, "192.0.2.7:53", "192.0.2.1") }, "cannot assign requested address; this machine does not have that address"},
	} {
		if out, err := test.run(); err == nil || !strings.Contains(out, test.want) {
			t.Errorf("%v, want %q:\n%s", err, test.want, out)
		}
	}
}

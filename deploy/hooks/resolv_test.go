package hooks_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// resolv runs dnsmus-resolv on a file of the test's and returns what it printed.
func resolv(t *testing.T, file, input string) string {
	t.Helper()
	cmd := exec.Command("./dnsmus-resolv")
	cmd.Env = append(os.Environ(), "DNSMUS_RESOLV_CONF="+file)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("dnsmus-resolv: %v\n%s", err, out)
	}
	return string(out)
}

// nameservers returns the servers of a resolv.conf, in order.
func nameservers(text string) string {
	var servers []string
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "nameserver" {
			servers = append(servers, fields[1])
		}
	}
	return strings.Join(servers, " ")
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func stat(t *testing.T, file string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestResolv(t *testing.T) {
	for _, c := range []struct{ name, input, want string }{
		{"order", "nameserver 192.0.2.2\nnameserver 192.0.2.1\n", "192.0.2.2 192.0.2.1"},
		{"more than three", "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\nnameserver 192.0.2.5\n",
			"192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5"},
		{"duplicates", "nameserver 192.0.2.1\nnameserver 192.0.2.11\nnameserver 192.0.2.1\n", "192.0.2.1 192.0.2.11"},
		{"loopback", "nameserver 127.0.0.53\nnameserver ::1\nnameserver 127.0.0.123\nnameserver 0.0.0.0\nnameserver ::\nnameserver ::ffff:127.0.0.1\nnameserver 192.0.2.1\n", "192.0.2.1"},
		{"IPv6", "nameserver 2001:db8::1\nnameserver fe80::1%eth0\n", "2001:db8::1 fe80::1%eth0"},
		{"other lines", "# resolv.conf from eth0\n;nameserver 192.0.2.9\n#nameserver 192.0.2.9\ndomain example\nsearch a.example b.example\noptions edns0 timeout:1\nnameserver\nnameserver 192.0.2.1 # by somebody\nnameservers 192.0.2.9\n", "192.0.2.1"},
		{"white space", "  nameserver\t192.0.2.1\t\n\n\tnameserver  192.0.2.2", "192.0.2.1 192.0.2.2"},
		{"nothing to be run or expanded", "nameserver $(id)\nnameserver *\nnameserver 192.0.2.1\\\n", "$(id) * 192.0.2.1\\"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "upstreams")
			if out := resolv(t, file, c.input); out != "" {
				t.Errorf("printed %q", out)
			}
			if got := nameservers(read(t, file)); got != c.want {
				t.Errorf("upstreams are %q, want %q", got, c.want)
			}
		})
	}
}

func TestResolvReplaces(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "upstreams")
	resolv(t, file, "nameserver 192.0.2.1\n")
	first := stat(t, file)
	if mode := first.Mode(); mode != 0o644 {
		t.Errorf("mode is %v, want everybody to read it", mode)
	}

	for _, same := range []string{"nameserver 192.0.2.1\nnameserver 127.0.0.1\n", "", "nameserver 127.0.0.1\n"} {
		resolv(t, file, same)
		if !os.SameFile(first, stat(t, file)) {
			t.Errorf("written again for %q", same)
		}
	}

	open, err := os.Open(file) // so that its inode is not used again
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	resolv(t, file, "nameserver 192.0.2.2\n")
	if got := nameservers(read(t, file)); got != "192.0.2.2" {
		t.Errorf("upstreams are %q after a change", got)
	}
	if os.SameFile(first, stat(t, file)) {
		t.Error("written in place: a reader may have seen half of it")
	}
	if names, err := filepath.Glob(filepath.Join(dir, "*")); len(names) != 1 {
		t.Errorf("left behind: %v %v", names, err)
	}
}

func TestResolvKeepsFilesOfOthers(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "upstreams"), filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	resolv(t, file, "nameserver 192.0.2.1\n")
	_, own, _ := strings.Cut(read(t, file), "\n") // as the header says
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(own)
	for _, name := range []string{file, link} {
		if out := resolv(t, name, "nameserver 192.0.2.2\n"); !strings.Contains(out, "remove it") {
			t.Errorf("%s: printed %q, want advice", name, out)
		}
		if got := read(t, file); got != own {
			t.Errorf("%s: overwritten with %q", name, got)
		}
	}

	for _, nobodys := range []string{"", "# Written by dnsmus-resolv.\nnameserver 192.0.2.3\n", "# Name your resolvers here:\n#nameserver 192.0.2.1\n"} {
		write(nobodys)
		resolv(t, file, "nameserver 192.0.2.2\n")
		if got := nameservers(read(t, file)); got != "192.0.2.2" {
			t.Errorf("upstreams are %q, want them in place of %q", got, nobodys)
		}
	}
}

package hooks_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// The file is its input, and no argument.
func TestResolvArgument(t *testing.T) {
	out, err := exec.Command("./dnsmus-resolv", "/etc/resolv.conf").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "usage: ./dnsmus-resolv <FILE") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Addresses of this machine are left out, however they are written: there is dnsmus itself. What
// only looks like one is not.
func TestResolvOwnAddresses(t *testing.T) {
	own := strings.Fields(`127.0.0.1 127.0.0.123:53 127.1 127.0.1 2130706433 0x7f000001 0x7F.1 0177.0.0.1 0127.0.0.1 127.0.0.1#5300 127.0.0.1%lo
		[127.0.0.1]:53 [127.0.0.1%lo]:53 0 0.0 0.0.0.0 0.0.0.0:53 00 0x0 ::1 [::1] [::1]:5300 ::1%lo [::1%lo]:53 ::1#53 0::1 ::0:1 ::0001
		0:0:0:0:0:0:0:1 0000:0000:0000:0000:0000:0000:0000:0001 :: [::]:53 ::0 0::0 0:0:0:0:0:0:0:0 ::ffff:127.0.0.1 ::FFFF:127.1.2.3
		[::ffff:127.0.0.1]:53 ::ffff:7f00:1 ::ffff:7f12:3456 0:0:0:0:0:ffff:127.0.0.1 0:0:0:0:0:FFFF:7F00:0001 ::ffff:0.0.0.0 ::ffff:0:0 ::127.0.0.1
		::7f00:1 tls://127.0.0.1%dns.example:853 https://127.0.0.1%dns.example/dns-query https://[::1]:443/x quic://::1%dns.example tls://localhost
		localhost LOCALHOST localhost. dns.localhost`)
	others := strings.Fields(`192.0.2.1 127.example 128.0.0.1 126.255.255.255:53 1.0.0.127 1.127.0.0 10.0.0.1 0x0a.1 012.0.0.1 2147483648 ::2 1::1 ::1:1 1:: 127:: 127::1
		::ffff:192.0.2.1 ::ffff:a00:1 [2001:db8::1]:53 fe80::1%eth0 [fe80::1%eth0]:53 fe80::127.0.0.1%eth0 2001:db8::127.0.0.1 2001:db8::7f00:1
		0:0:0:0:0:0:1:1 tls://9.9.9.9%dns.quad9.net:853 https://dns.example/127.0.0.1 tls://localhost.example 300.1.2.3.4 12g ::zz ]`)
	file := filepath.Join(t.TempDir(), "upstreams")
	for _, end := range []string{"\n", "\r\n", " # a comment\n"} {
		text := ""
		for i := range max(len(own), len(others)) {
			if i < len(own) {
				text += "nameserver " + own[i] + end
			}
			if i < len(others) {
				text += "nameserver " + others[i] + end
			}
		}
		resolv(t, file, text)
		if got, want := nameservers(read(t, file)), strings.Join(others, " "); got != want {
			t.Errorf("upstreams are\n%s\nwant\n%s", got, want)
		}
		if strings.Contains(read(t, file), "\r") {
			t.Error("carriage returns are left")
		}
	}
}

// A list takes time that grows with its length alone. This one took minutes when each was compared with all before it.
func TestResolvLong(t *testing.T) {
	var text, want strings.Builder
	for i := range 50000 {
		fmt.Fprintf(&text, "nameserver 10.%d.%d.%d\nnameserver 10.0.0.1\nnameserver 127.%[1]d.%d.%d\n", i>>16, i>>8&255, i&255)
		fmt.Fprintf(&want, " 10.%d.%d.%d", i>>16, i>>8&255, i&255)
	}
	file := filepath.Join(t.TempDir(), "upstreams")
	resolv(t, file, text.String())
	got := strings.Fields(nameservers(read(t, file)))
	slices.Sort(got)
	all := strings.Fields(want.String())
	slices.Sort(all)
	if !slices.Equal(got, slices.Compact(all)) {
		t.Errorf("got %d upstreams, want %d", len(got), len(all))
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

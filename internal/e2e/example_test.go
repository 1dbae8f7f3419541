//go:build linux

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// TestExample runs the example as its first lines say.
func TestExample(t *testing.T) {
	l := newLab(t)
	checkExample(l, testkit.Binary(t))
}

// checkExample runs binary with the example Corefile and asks for all that is
// in it.
func checkExample(l *lab, binary string) {
	l.Helper()
	l.dir = testkit.Root(l.T)
	for _, name := range []string{"Corefile.example", "resolv.conf.example"} {
		if _, err := os.Stat(filepath.Join(l.dir, name)); err != nil {
			l.Fatal(err) // and go test knows that a change of it is to be tested
		}
	}
	l.start(binary, "-conf", "Corefile.example").awaits("@127.0.0.1 -p 5553 wiki.corp.example")

	for _, test := range []struct{ port, name, want string }{
		// Each resolver knows one name and denies the others in its own way.
		{"5301", "wiki", "NOERROR 10.1.0.10"},
		{"5301", "git", "NXDOMAIN"},
		{"5301", "db", "NXDOMAIN"},
		{"5302", "wiki", "SERVFAIL"},
		{"5302", "git", "NOERROR 10.2.0.20"},
		{"5302", "db", "SERVFAIL"},
		{"5303", "wiki", "NOERROR"},
		{"5303", "git", "NOERROR"},
		{"5303", "db", "NOERROR 10.3.0.30"},
		// All of them together know all.
		{"5553", "wiki", "NOERROR 10.1.0.10"},
		{"5553", "git", "NOERROR 10.2.0.20"},
		{"5553", "db", "NOERROR 10.3.0.30"},
	} {
		for _, transport := range []string{"+notcp", "+tcp"} {
			query := "@127.0.0.1 -p " + test.port + " " + test.name + ".corp.example A " + transport
			if got := l.dig(query); got.String() != test.want {
				l.Errorf("dig %s: %s, want %s\n%s", query, got, test.want, got.text)
			}
		}
	}

	// A host without an IPv6 address is not denied, though another resolver
	// denies its name: a client that asks for both would give up the IPv4 one.
	for _, name := range []string{"wiki", "git", "db"} {
		query := "@127.0.0.1 -p 5553 " + name + ".corp.example AAAA"
		l.expect(query, "NOERROR")
		if r := l.dig(query); len(r.sections["AUTHORITY"]) != 1 {
			l.Errorf("dig %s: want the SOA record of the resolver that knows the name\n%s", query, r.text)
		}
	}
}

var consoles = regexp.MustCompile("(?ms)^~~~ console\n(.*?)^~~~$")

// TestReadmeShows: what README.md shows of the example is what it prints, but for times.
func TestReadmeShows(t *testing.T) {
	l := newLab(t)
	l.dir = testkit.Root(l.T)
	readme, err := os.ReadFile(filepath.Join(l.dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	binary := testkit.Binary(t)
	l.start(binary, "-conf", "Corefile.example").awaits("@127.0.0.1 -p 5553 wiki.corp.example")
	commands := 0
	for _, block := range consoles.FindAllStringSubmatch(string(readme), -1) {
		for _, shown := range strings.Split("\n"+block[1], "\n$ ")[1:] {
			command, want, _ := strings.Cut(shown+"\n", "\n")
			if strings.HasPrefix(command, "go ") {
				continue // the binary is there
			}
			commands++
			got, _ := l.output("sh", "-c", strings.Replace(command, "./coredns", binary, 1)) // explain fails where a name has no record
			if timeless(got) != timeless(want) {
				t.Errorf("%s prints\n%s\nand README.md says\n%s", command, got, want)
			}
		}
	}
	if commands == 0 {
		t.Error("README.md shows no command")
	}
}

// timeless is what explain prints without times, and the widths of columns that follow from them.
func timeless(text string) string {
	return blanks.ReplaceAllString(someTime.ReplaceAllString(strings.TrimSpace(slow.ReplaceAllString(text, "")), "TIME"), "$1  ")
}

// TestStockCoreDNS builds CoreDNS with dnsmus as docs/reference.md and
// CoreDNS's own pages say, and runs the example with it.
func TestStockCoreDNS(t *testing.T) {
	testkit.Long(t)
	l := newLab(t)
	src := filepath.Join(l.dir, "coredns")
	at := func(dir string, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Dir = dir
		if dir == src {
			cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod") // its go.mod is to be completed
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	module := at("", "go", "list", "-m", "-f", "{{.Dir}}", "github.com/coredns/coredns")
	at("", "cp", "-r", strings.TrimSpace(module), src)
	at(src, "chmod", "-R", "u+w", ".") // modules are kept read-only

	cfg, err := os.ReadFile(filepath.Join(src, "plugin.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	const before, line = "\nforward:forward\n", "\ndnsmus:github.com/dnsmus/dnsmus"
	if !strings.Contains(string(cfg), before) {
		t.Fatal("plugin.cfg has no line forward:forward")
	}
	l.write("coredns/plugin.cfg", strings.Replace(string(cfg), before, line+before, 1))
	at(src, "go", "mod", "edit",
		"-require=github.com/dnsmus/dnsmus@v0.0.0", // no version of it is needed
		"-replace=github.com/dnsmus/dnsmus="+testkit.Root(t))
	at(src, "go", "generate")
	at(src, "go", "build", "-o", "coredns", ".")

	checkExample(l, filepath.Join(src, "coredns"))

	// With the main of ours it has all of the command line.
	main, err := os.ReadFile(filepath.Join(src, "coredns.go"))
	if err != nil {
		t.Fatal(err)
	}
	ours := strings.NewReplacer(`"github.com/coredns/coredns/coremain"`, `"github.com/dnsmus/dnsmus/cmd/coredns/command"`, "coremain.Run()", "command.Main()")
	if err := os.WriteFile(filepath.Join(src, "coredns.go"), []byte(ours.Replace(string(main))), 0o644); err != nil {
		t.Fatal(err)
	}
	at(src, "go", "build", "-o", "ours", ".")
	if out := at(src, "./ours", "explain", "-h"); !strings.Contains(out, "ours explain NAME") {
		t.Errorf("explain says\n%s", out)
	}
	if out := at(src, "./ours", "-check", "5553", "192.0.2.1"); !strings.Contains(out, "is valid") {
		t.Errorf("-check says\n%s", out)
	}
	if out := at(src, "./ours", "-corefile", "5553"); !strings.Contains(out, "dnsmus") {
		t.Errorf("the built-in Corefile is\n%s", out)
	}
}

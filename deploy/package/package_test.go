//go:build linux

package packaging

import (
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

var suffixes = []string{"_amd64.deb", "_arm64.deb", ".x86_64.rpm", ".aarch64.rpm"}

// What all packages install, with modes, and what only some do.
var (
	content = []string{
		"drwxr-xr-x /etc/dnsmus",
		"-rw-r--r-- /etc/dnsmus/Corefile",
		"-rwxr-xr-x /usr/bin/dnsmus",
		"drwxr-xr-x /usr/lib/dnsmus",
		"-rwxr-xr-x /usr/lib/dnsmus/seed-upstreams",
		"-rwxr-xr-x /usr/lib/dnsmus/what-next",
		"-rw-r--r-- /usr/lib/systemd/system/dnsmus.service",
		"-rw-r--r-- /usr/lib/sysusers.d/dnsmus.conf",
		"-rwxr-xr-x /usr/sbin/dnsmus-default",
		"-rwxr-xr-x /usr/sbin/dnsmus-resolv",
		"-rw-r--r-- /usr/share/bash-completion/completions/dnsmus",
		"drwxr-xr-x /usr/share/dnsmus",
		"drwxr-xr-x /usr/share/dnsmus/hooks",
		"-rw-r--r-- /usr/share/dnsmus/hooks/networkmanager.conf",
		"-rwxr-xr-x /usr/share/dnsmus/hooks/openresolv",
		"drwxr-xr-x /usr/share/doc/dnsmus",
		"-rw-r--r-- /usr/share/doc/dnsmus/CHANGELOG.md",
		"-rw-r--r-- /usr/share/doc/dnsmus/README.md",
		"drwxr-xr-x /usr/share/doc/dnsmus/deploy",
		"-rw-r--r-- /usr/share/doc/dnsmus/deploy/README.md",
		"drwxr-xr-x /usr/share/doc/dnsmus/docs",
		"-rw-r--r-- /usr/share/doc/dnsmus/docs/behaviour.md",
		"-rw-r--r-- /usr/share/doc/dnsmus/docs/command.md",
		"-rw-r--r-- /usr/share/doc/dnsmus/docs/comparison.md",
		"-rw-r--r-- /usr/share/doc/dnsmus/docs/dnsmus-default.md",
		"-rw-r--r-- /usr/share/doc/dnsmus/docs/dnsmus-resolv.md",
		"-rw-r--r-- /usr/share/doc/dnsmus/docs/from-forward.md",
		"-rw-r--r-- /usr/share/doc/dnsmus/docs/learning.md",
		"-rw-r--r-- /usr/share/doc/dnsmus/docs/links.md",
		"-rw-r--r-- /usr/share/doc/dnsmus/docs/race.svg",
		"-rw-r--r-- /usr/share/doc/dnsmus/docs/reference.md",
		"-rw-r--r-- /usr/share/doc/dnsmus/docs/top-dark.png",
		"-rw-r--r-- /usr/share/doc/dnsmus/docs/top-light.png",
		"-rw-r--r-- /usr/share/doc/dnsmus/docs/top-terminal.svg",
		"-rw-r--r-- /usr/share/doc/dnsmus/docs/troubleshooting.md",
		"-rw-r--r-- /usr/share/doc/dnsmus/docs/vpns.svg",
		"-rw-r--r-- /usr/share/fish/vendor_completions.d/dnsmus.fish",
		"-rw-r--r-- /usr/share/man/man7/coredns-dnsmus.7.gz",
		"-rw-r--r-- /usr/share/man/man8/dnsmus-default.8.gz",
		"-rw-r--r-- /usr/share/man/man8/dnsmus-resolv.8.gz",
		"-rw-r--r-- /usr/share/man/man8/dnsmus.8.gz",
	}
	debContent = []string{
		"-rwxr-xr-x /usr/share/dnsmus/hooks/resolvconf",
		"-rw-r--r-- /usr/share/doc/dnsmus/NOTICES.gz",
		"-rw-r--r-- /usr/share/doc/dnsmus/changelog.gz",
		"-rw-r--r-- /usr/share/doc/dnsmus/copyright",
		"-rw-r--r-- /usr/share/zsh/vendor-completions/_dnsmus",
	}
	rpmContent = []string{
		"-rw-r--r-- /usr/share/licenses/dnsmus/LICENSE",
		"-rw-r--r-- /usr/share/licenses/dnsmus/NOTICES",
		"-rw-r--r-- /usr/share/zsh/site-functions/_dnsmus",
	}
)

// manuals are those of each command, which all are the one that describes them.
func manuals(t *testing.T) (links []string) {
	t.Helper()
	for _, word := range regexp.MustCompile(`(?m)^\*\*dnsmus ([a-z]+)\*\*`).FindAllStringSubmatch(read(t, "../../docs/command.md"), -1) {
		if link := "lrwxrwxrwx /usr/share/man/man8/dnsmus-" + word[1] + ".8.gz"; !slices.Contains(links, link) {
			links = append(links, link)
		}
	}
	return links
}

// expectContent compares lists of files, in whatever order.
func expectContent(t *testing.T, pkg string, got []string, want ...[]string) {
	t.Helper()
	all := slices.Concat(want...)
	slices.Sort(all)
	slices.Sort(got)
	if !slices.Equal(got, all) {
		t.Errorf("%s holds\n%s\nwant\n%s", pkg, strings.Join(got, "\n"), strings.Join(all, "\n"))
	}
}

func TestBuildsAreEqual(t *testing.T) {
	testkit.Long(t)
	testkit.Need(t, false, "git")
	for _, suffix := range suffixes {
		if a, b := released(t, builds.old, suffix), released(t, builds.again, suffix); read(t, a) != read(t, b) {
			t.Errorf("%s and %s differ", a, b)
		}
	}
}

// rpmArch are the words of RPM for Go's.
var rpmArch = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// What the packages are made of gives what they are to hold. Whether nfpm makes that of it
// is seen in releases.
func TestContent(t *testing.T) {
	var recipe struct {
		Contents []struct {
			Src, Dst, Type, Packager string
			FileInfo                 struct{ Mode fs.FileMode } `yaml:"file_info"`
		}
		Overrides map[string]struct{ Scripts map[string]string }
	}
	if err := yaml.Unmarshal([]byte(read(t, "nfpm.yaml")), &recipe); err != nil {
		t.Fatal(err)
	}
	for packager, more := range map[string][]string{"deb": debContent, "rpm": rpmContent} {
		var got []string
		for _, c := range recipe.Contents {
			if c.Packager != "" && c.Packager != packager {
				continue
			}
			mode := c.FileInfo.Mode
			c.Src = strings.TrimPrefix(c.Src, "${WORK}/doc/") // where deploy/pages has the documents
			if c.Type == "symlink" {
				got = append(got, "lrwxrwxrwx "+c.Dst)
				continue
			}
			if c.Type == "dir" {
				mode |= fs.ModeDir
			} else if !strings.HasPrefix(c.Src, "${WORK}/") {
				testkit.DependOn(t, "../../"+strings.TrimSuffix(c.Src, "/*"))
			}
			if folder, all := strings.CutSuffix(c.Src, "/*"); all {
				entries, err := fs.ReadDir(os.DirFS("../.."), folder)
				if err != nil {
					t.Fatal(err)
				}
				for _, entry := range entries {
					got = append(got, mode.String()+" "+c.Dst+"/"+entry.Name())
				}
				continue
			}
			got = append(got, mode.String()+" "+c.Dst)
		}
		expectContent(t, packager, got, content, manuals(t), more)
		for _, script := range recipe.Overrides[packager].Scripts {
			testkit.DependOn(t, "../../"+script)
		}
	}
}

// A binary that was built elsewhere is packaged as it is.
func TestGivenBinary(t *testing.T) {
	testkit.Long(t)
	testkit.Need(t, false, "git", "dpkg-deb")
	binary := testkit.Build(t, "./cmd/nodelink") // a small one
	dir, err := build("../..", oldVersion, []string{"-b", binary})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if want := "dnsmus_" + oldVersion + "_" + runtime.GOARCH + ".deb"; err != nil || len(entries) != 1 || entries[0].Name() != want {
		t.Errorf("for a Debian there are %v, %v, want %s", entries, err, want)
	}
	if read(t, filepath.Join(unpack(t, find(t, dir, ".deb")), "usr/bin/dnsmus")) != read(t, binary) {
		t.Error("another binary is in the package")
	}
}

func TestReleaseContent(t *testing.T) {
	testkit.Long(t)
	testkit.Need(t, false, "git", "dpkg-deb", "rpm")
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		deb := released(t, builds.old, "_"+arch+".deb")
		expectDeb(t, deb, arch)
		expectRPM(t, released(t, builds.old, "."+rpmArch[arch]+".rpm"), arch)
		expectBinary(t, deb, machine)
	}
}

func expectDeb(t *testing.T, deb, arch string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(run(t, "dpkg-deb", "--contents", deb)) {
		fields := strings.Fields(line)
		if fields[1] != "root/root" {
			t.Errorf("not root's: %s", line)
		}
		path := strings.TrimSuffix(strings.TrimPrefix(fields[5], "."), "/")
		if fields[0][0] != 'd' || strings.Contains(path, "/dnsmus") {
			got = append(got, fields[0]+" "+path)
		}
	}
	expectContent(t, deb, got, content, manuals(t), debContent)
	for field, want := range map[string]string{"Package": "dnsmus", "Version": oldVersion, "Architecture": arch} {
		if got := strings.TrimSpace(run(t, "dpkg-deb", "--field", deb, field)); got != want {
			t.Errorf("%s: %s is %q, want %q", deb, field, got, want)
		}
	}
	if got := run(t, "dpkg-deb", "--info", deb, "conffiles"); got != "/etc/dnsmus/Corefile\n" {
		t.Errorf("%s: conffiles %q", deb, got)
	}
}

func expectRPM(t *testing.T, pkg, arch string) {
	t.Helper()
	query := func(format string) string {
		t.Helper()
		return strings.TrimSpace(run(t, "rpm", "--query", "--package", "--queryformat", format, pkg))
	}
	files := strings.ReplaceAll(query("[%{FILEMODES:perms} %{FILENAMES}\n]"), "l---------", "lrwxrwxrwx") // links have no modes
	expectContent(t, pkg, strings.Split(files, "\n"), content, manuals(t), rpmContent)
	// 17 is config and noreplace.
	if got, want := query("[%{FILEFLAGS} %{FILENAMES}\n]"), "17 /etc/dnsmus/Corefile"; !strings.Contains(got, want) {
		t.Errorf("%s: %q is not among\n%s", pkg, want, got)
	}
	if got, want := query("%{NAME} %{VERSION} %{ARCH} %{BUILDHOST}"), "dnsmus "+oldVersion+" "+rpmArch[arch]+" localhost"; got != want {
		t.Errorf("%s is %s, want %s", pkg, got, want)
	}
}

func expectBinary(t *testing.T, deb string, machine elf.Machine) {
	t.Helper()
	binary, err := elf.Open(filepath.Join(unpack(t, deb), "usr/bin/dnsmus"))
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	if binary.Machine != machine {
		t.Errorf("%s: the binary is for %s", deb, binary.Machine)
	}
	if libraries, err := binary.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("%s: not static: %s, %v", deb, libraries, err)
	}
	if binary.Section(".symtab") != nil || binary.Section(".debug_info") != nil {
		t.Errorf("%s: not stripped", deb)
	}
}

// unpack returns a directory with the files of the Debian package.
func unpack(t *testing.T, deb string) string {
	t.Helper()
	dir := t.TempDir()
	run(t, "dpkg-deb", "--extract", deb, dir)
	return dir
}

// The manuals are found by whatis, and render at 80 columns without a warning and
// without what is for readers of the sources.
func TestManuals(t *testing.T) {
	testkit.Need(t, false, "man", "lexgrog")
	testkit.DependOn(t, "../pages", "../../README.md", "../../docs")
	dir := t.TempDir()
	t.Setenv("SOURCE_DATE_EPOCH", "1778000000")
	cmd := exec.Command("go", "run", "./deploy/pages", oldVersion, dir)
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	for page, want := range map[string][]string{
		"dnsmus.8": {"dnsmus - DNS resolver", "dnsmus(8)", "SYNOPSIS", "[ADDRESS:]PORT [TO...]", "OPTIONS", "FILES", "/etc/dnsmus/Corefile",
			"SIGNALS", "SIGUSR1", "EXIT STATUS", "EXAMPLES", "dnsmus 5553 192.0.2.1 192.0.2.2", "server=127.0.0.1#5553"},
		"dnsmus-default.8": {"dnsmus-default - have all programs", "dnsmus-default(8)", "openresolv", "EXIT STATUS"},
		"dnsmus-resolv.8":  {"dnsmus-resolv - make", "dnsmus-resolv(8)", "ENVIRONMENT", "DNSMUS_RESOLV_CONF"},
		"coredns-dnsmus.7": {"dnsmus - sends every query", "coredns-dnsmus(7)", "SYNTAX", "negative_ttl DURATION", "    negative_ttl DURATION\n",
			"METRICS", "EXAMPLES", "server=127.0.0.1#5553", "How a race goes", "SEE ALSO", "resolv.conf(5)"},
	} {
		page = filepath.Join(dir, page)
		if got := run(t, "lexgrog", page); !strings.Contains(got, want[0]) {
			t.Errorf("whatis would say %s", got)
		}
		cmd := exec.Command("man", "--warnings=w", "--local-file", page)
		cmd.Env = append(cmd.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8")
		var warnings strings.Builder
		cmd.Stderr = &warnings
		out, err := cmd.Output()
		if err != nil || warnings.Len() > 0 {
			t.Errorf("%s: %v\n%s", cmd, err, warnings.String())
		}
		text := string(out)
		all := strings.Join(strings.Fields(text), " ")
		for _, want := range append(want[1:], "dnsmus "+oldVersion) {
			if !strings.Contains(text, want) && !strings.Contains(all, want) && !strings.Contains(text, strings.ToUpper(want)) {
				t.Errorf("%s lacks %q", page, want)
			}
		}
		for _, odd := range []string{"go run", "go build", "go test", "](", "~~~", "@VERSION@", ".md"} {
			if strings.Contains(all, odd) {
				t.Errorf("%s has %q, which is for readers of the sources", page, odd)
			}
		}
		lines := strings.Split(text, "\n")
		indent := func(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
		for i, line := range lines[:len(lines)-1] {
			// Within a paragraph lines begin below each other; those of an item, below its text.
			if indent(line) == 7 && !strings.Contains(line, "•") && indent(lines[i+1]) == 9 {
				t.Errorf("%s is broken in mid-sentence after %q", page, line)
			}
			if len([]rune(line)) > 80 && !strings.HasPrefix(line, "           ") { // but for code
				t.Errorf("%s is wider than a terminal: %s", page, line)
			}
		}
	}
	// dnsmus(8) has all flags of the command.
	manual := run(t, "cat", filepath.Join(dir, "dnsmus.8"))
	help, _ := output(testkit.Binary(t), "-h")
	for line := range strings.Lines(help) {
		if flag, ok := strings.CutPrefix(line, "  -"); ok {
			flag, _, _ = strings.Cut(strings.TrimSpace(flag), " ")
			if !strings.Contains(strings.ReplaceAll(manual, `\`, ""), "-"+flag) {
				t.Errorf("dnsmus(8) lacks -%s", flag)
			}
		}
	}
}

// Errors and warnings that the packages are not free of, and why.
var lintReasons = map[string]string{
	"statically-linked-binary":                  "Go links so, and the package runs on any Debian",
	"position-independent-executable-suggested": "Go makes static programs without it, and memory-safe ones need it little",
	"no-signature":                              "who releases signs",
	"only-non-binary-in-usr-lib":                "there systemd looks for units, and there is nothing but a script and the unit",
	"no-manual-page-for-binary":                 "there are; rpmlint 2.4 takes the section of a manual for its name",
	"manpage-not-compressed":                    "they are, by gzip, which man reads; rpmlint expects bzip2",
	"invalid-license":                           "it is SPDX's name, as Fedora wants it; Debian's rpmlint knows older ones",
}

// The packages have no error or warning in the eyes of the distributions but those above.
func TestLint(t *testing.T) {
	testkit.Long(t)
	testkit.Need(t, false, "git", "lintian", "rpmlint")
	deb, pkg := released(t, builds.old, "_"+runtime.GOARCH+".deb"), released(t, builds.old, "."+rpmArch[runtime.GOARCH]+".rpm")
	said := regexp.MustCompile(`(?m)^(?:[EW]: dnsmus|dnsmus\.\w+: [EW]): (\S+)`)
	// rpmlint unpacks with cpio, which puts files with absolute names into the system's root.
	tools := t.TempDir()
	write(t, filepath.Join(tools, "cpio"), "#!/bin/sh\nPATH=${PATH#*:}\nexec cpio --no-absolute-filenames \"$@\"\n")
	if err := os.Chmod(filepath.Join(tools, "cpio"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
	for _, cmd := range [][]string{{"lintian", "--allow-root", deb}, {"rpmlint", pkg}} {
		out, _ := output(cmd...) // it fails on errors
		tags := said.FindAllStringSubmatch(out, -1)
		if len(tags) == 0 {
			t.Errorf("%s says nothing of the package:\n%s", cmd[0], out)
		}
		for _, tag := range tags {
			if lintReasons[tag[1]] == "" {
				t.Errorf("%s: %s in\n%s", cmd[0], tag[1], out)
			}
		}
	}
}

func TestUnitIsHardened(t *testing.T) {
	testkit.Need(t, false, "systemd-analyze")
	// 16 is the exposure 1.6.
	run(t, "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=16", "../systemd/dnsmus.service")
}

func TestShell(t *testing.T) {
	testkit.Need(t, false, "shellcheck")
	for _, pattern := range []string{"build", "seed-upstreams", "what-next", "deb/*", "rpm/*", "../hooks/dnsmus-default"} {
		scripts, err := filepath.Glob(pattern)
		if err != nil || len(scripts) == 0 {
			t.Fatalf("%s: %s, %v", pattern, scripts, err)
		}
		run(t, append([]string{"shellcheck", "--shell=sh", "--external-sources", "--source-path=../.."}, scripts...)...)
	}
}

//go:build linux

package packaging

import (
	"debug/elf"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

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
		"-rw-r--r-- /usr/lib/systemd/system/dnsmus.service",
		"-rwxr-xr-x /usr/sbin/dnsmus-resolv",
		"drwxr-xr-x /usr/share/dnsmus",
		"drwxr-xr-x /usr/share/dnsmus/hooks",
		"-rw-r--r-- /usr/share/dnsmus/hooks/networkmanager.conf",
		"drwxr-xr-x /usr/share/doc/dnsmus",
		"-rw-r--r-- /usr/share/doc/dnsmus/README.md",
		"-rw-r--r-- /usr/share/doc/dnsmus/copyright",
		"-rw-r--r-- /usr/share/man/man8/dnsmus.8.gz",
	}
	debContent = []string{
		"-rwxr-xr-x /etc/resolvconf/update.d/dnsmus",
		"-rwxr-xr-x /usr/lib/resolvconf/dnsmus",
	}
	rpmContent = []string{
		"-rwxr-xr-x /usr/share/dnsmus/hooks/openresolv",
	}
)

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

func TestDebContent(t *testing.T) {
	testkit.Need(t, false, "git", "dpkg-deb")
	expectDeb(t, find(t, quick(t), ".deb"), runtime.GOARCH)
}

func TestRPMContent(t *testing.T) {
	testkit.Need(t, false, "git", "rpm")
	expectRPM(t, find(t, quick(t), ".rpm"), runtime.GOARCH)
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
	expectContent(t, deb, got, content, debContent)
	for field, want := range map[string]string{"Package": "dnsmus", "Version": oldVersion, "Architecture": arch} {
		if got := strings.TrimSpace(run(t, "dpkg-deb", "--field", deb, field)); got != want {
			t.Errorf("%s: %s is %q, want %q", deb, field, got, want)
		}
	}
	if got := run(t, "dpkg-deb", "--info", deb, "conffiles"); got != "/etc/dnsmus/Corefile\n/etc/resolvconf/update.d/dnsmus\n" {
		t.Errorf("%s: conffiles %q", deb, got)
	}
}

func expectRPM(t *testing.T, pkg, arch string) {
	t.Helper()
	query := func(format string) string {
		t.Helper()
		return strings.TrimSpace(run(t, "rpm", "--query", "--package", "--queryformat", format, pkg))
	}
	expectContent(t, pkg, strings.Split(query("[%{FILEMODES:perms} %{FILENAMES}\n]"), "\n"), content, rpmContent)
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

func TestManualPage(t *testing.T) {
	testkit.Need(t, false, "git", "dpkg-deb", "man", "lexgrog")
	page := filepath.Join(unpack(t, find(t, quick(t), ".deb")), "usr/share/man/man8/dnsmus.8.gz")
	if got := run(t, "lexgrog", page); !strings.Contains(got, `"dnsmus - `) {
		t.Errorf("whatis would say %s", got)
	}
	cmd := exec.Command("man", "--warnings=w", "--local-file", page)
	cmd.Env = append(cmd.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8")
	var warnings strings.Builder
	cmd.Stderr = &warnings
	text, err := cmd.Output()
	if err != nil || warnings.Len() > 0 {
		t.Errorf("%s: %v\n%s", cmd, err, warnings.String())
	}
	for _, want := range []string{"dnsmus(8)", "dnsmus " + oldVersion, "Syntax", "negative_ttl DURATION", "See Also"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the manual page lacks %q", want)
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
	for _, pattern := range []string{"build", "seed-upstreams", "deb/*", "rpm/*"} {
		scripts, err := filepath.Glob(pattern)
		if err != nil || len(scripts) == 0 {
			t.Fatalf("%s: %s, %v", pattern, scripts, err)
		}
		run(t, append([]string{"shellcheck", "--shell=sh"}, scripts...)...)
	}
}

//go:build linux

// Package deploy_test makes a release of the tag of a repository that has the files of
// this checkout, and looks at it with the tools of those who would get it.
package deploy_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	version = "0.9.0"
	crane   = "github.com/google/go-containerregistry/cmd/crane@v0.22.1"
)

// output runs a command in a directory, and returns what it prints. An error has that too.
func output(dir string, args ...string) (string, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return string(out), err
}

// run is output for commands that must succeed.
func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := output(dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// tagged returns a repository at the tag of the version.
func tagged(t *testing.T) string {
	t.Helper()
	testkit.Need(t, false, "git", "tar")
	dir := t.TempDir()
	run(t, "..", "sh", "-c", `git ls-files -z --cached --others --exclude-standard |
		tar -c --null -T - --ignore-failed-read | tar -x -C `+dir)
	changelog := filepath.Join(dir, "CHANGELOG.md")
	text, err := os.ReadFile(changelog)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(changelog, append(text, "\n## ["+version+"]\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "git", "init", "--quiet")
	commit(t, dir)
	run(t, dir, "git", "tag", "v"+version)
	return dir
}

// commit commits all, always at the same time.
func commit(t *testing.T, dir string) {
	t.Helper()
	run(t, dir, "git", "add", "--all")
	run(t, dir, "env", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z", "git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgSign=false",
		"commit", "--quiet", "--message=test")
}

// What is not as it was tagged is no release.
func TestRefused(t *testing.T) {
	dir := tagged(t)
	expect := func(want string, args ...string) {
		t.Helper()
		args = append([]string{"deploy/release", "-o", filepath.Join(t.TempDir(), "out"), "-s", "none/none"}, args...)
		if out, err := output(dir, args...); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v, want an error with %q", args, err, want)
		}
	}
	expect("usage")
	expect("usage", "-x", version)
	expect("there is no tag v0.9.1", "0.9.1")
	expect("not empty", "-o", dir, version)
	expect("no system none/none", version)        // all else is as it should be
	expect("no system none/none", "-f", "v0.9.1") // so it is then

	for _, name := range []string{"README.md", "new"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		expect("differs from v0.9.0", "v"+version)
		commit(t, dir)
		expect("is not at v0.9.0", version)
		run(t, dir, "git", "checkout", "--quiet", "v"+version)
	}
	run(t, dir, "git", "tag", "v0.9.1")
	expect("no section for 0.9.1", "0.9.1")
}

// What a system needs is in its archive, and what others need is not.
func TestBeside(t *testing.T) {
	testkit.DependOn(t, ".")
	seen := make(map[string]string)
	for system, want := range map[string]string{
		"linux/arm": "deploy/systemd/dnsmus.service", "darwin/arm64": "deploy/launchd/install", "freebsd/amd64": "deploy/rc/freebsd",
		"openbsd/amd64": "deploy/rc/openbsd", "windows/amd64": "",
	} {
		files := strings.Fields(run(t, "..", "sh", "-c", "eval \"$(sed -n '/^beside() {/,/^}/p' deploy/release)\"; beside "+system))
		if want == "" && len(files) > 0 || want != "" && !slices.Contains(files, want) {
			t.Errorf("%s has %s, want %q", system, files, want)
		}
		for _, file := range files {
			if _, err := os.Stat(filepath.Join("..", file)); err != nil {
				t.Error(err)
			}
			if seen[file] != "" {
				t.Errorf("%s is for %s and for %s", file, system, seen[file])
			}
			seen[file] = system
		}
	}
	for _, folder := range []string{"launchd", "rc", "systemd"} {
		for _, name := range entries(t, folder) {
			if name = "deploy/" + folder + "/" + name; seen[name] == "" && !strings.HasSuffix(name, "_test.go") {
				t.Errorf("%s is in no archive", name)
			}
		}
	}
}

// No release is made of what reaches a known vulnerability. What is known and reached is a
// matter of internal/vulns, which says so here at once.
func TestVulnerable(t *testing.T) {
	dir, bin := tagged(t), t.TempDir()
	real, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\n[ \"$*\" != 'run ./internal/vulns -library' ] || { echo \"GO-1 in $GOTOOLCHAIN\"; exit 1; }\nexec " + real + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := output(dir, "env", "PATH="+bin+":"+os.Getenv("PATH"), "deploy/release", "-o", filepath.Join(t.TempDir(), "out"), "-s", "linux/amd64", version)
	if err == nil || !strings.Contains(out, "GO-1 in go1.") || !strings.Contains(out, "known vulnerabilities are reached") {
		t.Errorf("a release is made: %v", err)
	}
}

func TestRelease(t *testing.T) {
	testkit.Long(t)
	testkit.Need(t, false, "git", "zip", "unzip", "dpkg-deb", "rpm", "sha256sum")
	for _, path := range []string{".", "../cmd", "../plugin", "../setup.go", "../upstreams.go", "../go.mod", "../go.sum", "../LICENSE", "../README.md", "../docs"} {
		testkit.DependOn(t, path)
	}
	out := filepath.Join(t.TempDir(), "out")
	dir := tagged(t)
	said := run(t, dir, "deploy/release", "-f", "-o", out, "-s", "linux/"+runtime.GOARCH+" windows/amd64", "v"+version)
	for _, want := range []string{"git push origin v" + version, "gpg", "crane push image", "helm push dnsmus-" + version + ".tgz"} {
		if !strings.Contains(said, want) {
			t.Errorf("the owner is not told of %q:\n%s", want, said)
		}
	}
	run(t, out, "sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS")

	unix, windows := "dnsmus_"+version+"_linux_"+runtime.GOARCH, "dnsmus_"+version+"_windows_amd64"
	rpm := "dnsmus-" + version + "-1." + map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH] + ".rpm"
	deb := "dnsmus_" + version + "_" + runtime.GOARCH + ".deb"
	top := entries(t, out)
	if want := []string{
		"SHA256SUMS", "dnsmus-" + version + ".tgz", rpm, deb, unix + ".cdx.json", unix + ".tar.gz", windows + ".cdx.json", windows + ".zip", "image",
	}; !slices.Equal(top, slices.Sorted(slices.Values(want))) {
		t.Errorf("the release has\n%s, want\n%s", top, want)
	}

	t.Run("archives", func(t *testing.T) {
		dir := t.TempDir()
		run(t, dir, "tar", "-xf", filepath.Join(out, unix+".tar.gz"))
		run(t, dir, "unzip", "-q", filepath.Join(out, windows+".zip"))
		beside := []string{"CHANGELOG.md", "Corefile.example", "LICENSE", "NOTICES", "README.md", "deploy", "docs", "resolv.conf.example"}
		for name, own := range map[string][]string{unix: {"dnsmus", "coredns-dnsmus.7", "dnsmus-default.8", "dnsmus-resolv.8", "dnsmus.8"}, windows: {"dnsmus.exe"}} {
			program := own[0]
			want := slices.Sorted(slices.Values(slices.Concat(beside, own)))
			if got := entries(t, filepath.Join(dir, name)); !slices.Equal(got, want) {
				t.Errorf("%s has %s, want %s", name, got, want)
			}
			bill, err := os.ReadFile(filepath.Join(out, name+".cdx.json"))
			if err != nil {
				t.Fatal(err)
			}
			notices, err := os.ReadFile(filepath.Join(dir, name, "NOTICES"))
			if want := "    github.com/coredns/coredns v"; err != nil || !strings.Contains(string(notices), want) {
				t.Errorf("the notices in %s lack %q: %v", name, want, err)
			}
			testkit.ExpectBill(t, bill, filepath.Join(dir, name, program), "v"+version)
		}
		if got, want := entries(t, filepath.Join(dir, windows, "deploy")), []string{"README.md"}; !slices.Equal(got, want) {
			t.Errorf("the archive for Windows has deploy/%s, want %s", got, want)
		}
		if got, want := entries(t, filepath.Join(dir, unix, "deploy")), []string{"README.md", "completion", "hooks", "rc", "systemd"}; !slices.Equal(got, want) {
			t.Errorf("the archive for Linux has deploy/%s, want %s", got, want)
		}
		expectNobodys(t, filepath.Join(out, unix+".tar.gz"))
		if kind := run(t, dir, "go", "version", "-m", windows+"/dnsmus.exe"); !strings.Contains(kind, "GOOS=windows") || strings.Contains(kind, dir) {
			t.Errorf("dnsmus.exe is\n%s", kind)
		}
		program := filepath.Join(dir, unix, "dnsmus")
		toolchain, err := os.ReadFile("toolchain")
		kind := run(t, dir, "go", "version", "-m", program)
		if goVersion := strings.Fields(kind)[1]; err != nil || !strings.HasSuffix(string(toolchain), "="+goVersion+"\n") {
			t.Errorf("dnsmus is built by %s, and deploy/toolchain has\n%s", goVersion, toolchain)
		}
		if strings.Contains(kind, "DataDog") {
			t.Errorf("clients of the plugin trace are in dnsmus:\n%s", kind)
		}
		if said := run(t, dir, program, "-version"); !strings.Contains(said, "dnsmus-"+version) {
			t.Errorf("dnsmus -version says %s", said)
		}
		// Packages hold the same program.
		run(t, dir, "dpkg-deb", "--extract", filepath.Join(out, deb), "deb")
		run(t, dir, "cmp", program, "deb/usr/bin/dnsmus")
		if got := run(t, dir, "rpm", "--query", "--package", "--queryformat", "%{VERSION}", filepath.Join(out, rpm)); got != version {
			t.Errorf("%s is of version %s", rpm, got)
		}
	})
	t.Run("chart", func(t *testing.T) {
		helm := testkit.Build(t, "helm.sh/helm/v3/cmd/helm@v3.22.0")
		chart := filepath.Join(out, "dnsmus-"+version+".tgz")
		run(t, out, helm, "lint", "--strict", chart)
		if text := run(t, out, helm, "template", "--kube-version=1.37", "--namespace=kube-system", "dnsmus", chart); !strings.Contains(text, "dnsmus:"+version) {
			t.Errorf("the chart does not name the image %s:\n%s", version, text)
		}
		expectNobodys(t, chart)
	})
	t.Run("image", func(t *testing.T) {
		crane := testkit.Build(t, crane)
		ref := registry(t, crane) + "/dnsmus:" + version
		run(t, out, crane, "push", "image", ref)
		run(t, out, crane, "validate", "--remote", ref)
		if digest := run(t, out, crane, "digest", ref); !strings.Contains(said, digest) {
			t.Errorf("pushed was %s, built\n%s", digest, said)
		}
	})
	t.Run("again", func(t *testing.T) {
		clone, again := filepath.Join(t.TempDir(), "clone"), filepath.Join(t.TempDir(), "again")
		run(t, dir, "env", "TZ=Pacific/Auckland", "LC_ALL=C.UTF-8", "sh", "-c", `umask 077 &&
			git -c advice.detachedHead=false clone --quiet --branch "v$4" . "$1" && cd "$1" && deploy/release -f -o "$2" -s "$3" "$4"`,
			"sh", clone, again, "linux/"+runtime.GOARCH, version)
		for _, name := range entries(t, again) {
			if name != "SHA256SUMS" {
				run(t, again, "diff", "-r", name, filepath.Join(out, name))
			}
		}
	})
}

// entries are the names in a directory, sorted.
func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range all {
		names = append(names, entry.Name())
	}
	return names
}

// expectNobodys looks for what an archive should not tell, and who unpacks it as root
// should not get: the user who made it, and files that others may write.
func expectNobodys(t *testing.T, archive string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Mode != 0o755 && h.Mode != 0o644 {
			t.Errorf("%s: %+v", archive, h)
		}
	}
}

// registry starts one on loopback, and returns its address.
func registry(t *testing.T, crane string) (addr string) {
	t.Helper()
	server := testkit.Start(t, exec.Command(crane, "registry", "serve", "--address=127.0.0.1:0"))
	testkit.Eventually(t, func() error {
		_, rest, _ := strings.Cut(server.Printed(), "serving on port ")
		port, _, found := strings.Cut(rest, "\n")
		if addr = "127.0.0.1:" + port; !found {
			return errors.New("crane names no port")
		}
		return nil
	})
	return addr
}

func TestShell(t *testing.T) {
	testkit.Need(t, false, "shellcheck")
	run(t, ".", "shellcheck", "--shell=sh", "--external-sources", "--source-path=..", "toolchain", "release", "compile", "sbom")
}

//go:build linux

package packaging

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// Three resolvers of which each knows one zone and denies all else.
var upstreams = []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}

const resolver = `
.:53 {
    bind 192.0.2.%[1]d
    template IN A only%[1]d.example {
        answer "{{ .Name }} 60 IN A 198.51.100.%[1]d"
    }
    template ANY ANY {
        rcode NXDOMAIN
        authority "example. 30 IN SOA ns.example. hostmaster.example. 1 3600 600 86400 30"
    }
}
`

const (
	corefile = "/etc/dnsmus/Corefile"
	list     = "/etc/resolv.conf.dnsmus"
	enabled  = "/etc/systemd/system/multi-user.target.wants/dnsmus.service"
)

// An administrator's edit of the Corefile, that shows.
const edit = `
edited.example {
    bind 127.0.0.123
    template IN A edited.example {
        answer "{{ .Name }} 60 IN A 198.51.100.9"
    }
}
`

// servers are the nameservers in a list of upstreams.
func servers(list string) string {
	var found strings.Builder
	for line := range strings.Lines(list) {
		if strings.HasPrefix(line, "nameserver ") {
			found.WriteString(line)
		}
	}
	return found.String()
}

func TestDebian(t *testing.T) {
	m := newMachine(t)
	resolvConf := m.read("/etc/resolv.conf")
	run(t, "cp", released(t, builds.old, "_amd64.deb"), m.path("/root/old.deb"))
	run(t, "cp", released(t, builds.new, "_amd64.deb"), m.path("/root/new.deb"))
	r := m.boot(upstreams...)
	before := r.files()

	var conf strings.Builder
	for i := range upstreams {
		fmt.Fprintf(&conf, resolver, i+1)
	}
	path := filepath.Join(t.TempDir(), "Corefile")
	write(t, path, conf.String())
	m.start("ip", "netns", "exec", r.ns, filepath.Join(unpack(t, released(t, builds.old, "_amd64.deb")), "usr/bin/dnsmus"), "-conf", path)

	steps := []struct {
		name string
		do   func(*running)
	}{
		{"install", func(r *running) {
			said := r.run("dpkg", "--install", "/root/old.deb")
			if !strings.Contains(said, "To have all programs ask it: dnsmus-default on. To undo that: dnsmus-default off") {
				r.Errorf("it does not say what to do next:\n%s", said)
			}
			for i := range upstreams {
				r.answers(fmt.Sprintf("only%d.example", i+1), fmt.Sprintf("198.51.100.%d", i+1))
			}
			r.run("systemctl", "is-active", "dnsmus")
			r.run("systemctl", "is-enabled", "dnsmus")
			if got, want := servers(r.read(list)), lines("nameserver", upstreams...); got != want {
				r.Errorf("%s names\n%s\nwant\n%s", list, got, want)
			}
			if r.read("/etc/resolv.conf") != resolvConf {
				r.Error("/etc/resolv.conf was changed")
			}
			if out := r.run("systemd-analyze", "verify", "--man=no", "dnsmus.service"); out != "" {
				r.Errorf("the unit: %s", out)
			}
		}},
		{"make it the default", func(r *running) {
			r.run("dnsmus-default", "on")
			r.answers("only1.example", "198.51.100.1")
			if got := r.run("getent", "ahostsv4", "only2.example"); !strings.HasPrefix(got, "198.51.100.2 ") {
				r.Errorf("programs find only2.example at %s", got)
			}
			if got := servers(r.read("/etc/resolv.conf")); got != "nameserver 127.0.0.123\n" {
				r.Errorf("programs ask %s", got)
			}
			r.run("dnsmus-default", "off")
			if got := r.read("/etc/resolv.conf"); got != resolvConf {
				r.Errorf("/etc/resolv.conf is now\n%s", got)
			}
		}},
		{"sandbox", func(r *running) {
			process := "/proc/" + r.property("MainPID")
			status := r.run("cat", process+"/status")
			// 10 is CAP_NET_BIND_SERVICE.
			for _, want := range []string{"CapEff:\t0000000000000400", "CapBnd:\t0000000000000400", "NoNewPrivs:\t1", "Seccomp:\t2"} {
				if !strings.Contains(status, want+"\n") {
					r.Errorf("no %q in\n%s", want, status)
				}
			}
			if strings.Contains(status, "Uid:\t0\t") {
				r.Error("runs as root")
			}
			r.run("sh", "-c", "grep -qs inotify "+process+"/fdinfo/*") // or it would only poll; some may be closed meanwhile
		}},
		{"follow the list", func(r *running) {
			r.run("sh", "-c", "echo nameserver 192.0.2.2 | dnsmus-resolv")
			r.answers("only1.example", "")
			r.answers("only2.example", "198.51.100.2")
		}},
		{"follow NetworkManager's", func(r *running) {
			const theirs = "/run/NetworkManager/no-stub-resolv.conf"
			replace := func(address string) {
				r.run("sh", "-c", `echo nameserver "$2" >"$1.new" && mv "$1.new" "$1"`, "sh", theirs, address)
			}
			r.run("mkdir", "/run/NetworkManager")
			replace("192.0.2.3")
			before := r.read(corefile)
			r.write(corefile, strings.Replace(before, list, theirs, 1))
			r.run("systemctl", "reload", "dnsmus")
			r.answers("only3.example", "198.51.100.3")
			replace("192.0.2.1")
			r.answers("only1.example", "198.51.100.1")
			r.answers("only3.example", "")

			r.write(corefile, before)
			r.write(list, lines("nameserver", upstreams...))
			r.run("systemctl", "reload", "dnsmus")
			r.answers("only2.example", "198.51.100.2")
			r.run("rm", "-r", "/run/NetworkManager")
		}},
		{"kill", func(r *running) {
			pid := r.property("MainPID")
			r.run("systemctl", "kill", "--signal=KILL", "dnsmus")
			testkit.Eventually(r.T, func() error {
				if now := r.property("MainPID"); now == pid || now == "0" {
					return fmt.Errorf("its process was %s and is %s", pid, now)
				}
				return nil
			})
			r.answers("only1.example", "198.51.100.1")
		}},
		{"reload", func(r *running) {
			pid := r.property("MainPID")
			r.write(corefile, r.read(corefile)+edit)
			r.run("systemctl", "reload", "dnsmus")
			r.answers("edited.example", "198.51.100.9")
			if now := r.property("MainPID"); now != pid {
				r.Errorf("its process was %s and is %s", pid, now)
			}
		}},
		{"reload with a mistake", func(r *running) {
			before := r.read(corefile)
			r.write(corefile, strings.Replace(before, "cache\n", "chache\n", 1))
			if out, err := r.output("systemctl", "reload", "dnsmus"); err == nil {
				r.Errorf("it is taken: %s", out)
			}
			testkit.Eventually(r.T, func() error { // the journal takes it down when it comes to it
				said := r.run("journalctl", "-u", "dnsmus", "-p", "warning")
				if strings.Contains(said, "[INFO]") {
					r.Fatalf("among the warnings is\n%s", said)
				}
				if !strings.Contains(said, "unknown option 'chache', perhaps 'cache'") {
					return fmt.Errorf("the journal has\n%s", said)
				}
				return nil
			})
			r.run("systemctl", "is-active", "dnsmus")
			r.answers("edited.example", "198.51.100.9")
			r.write(corefile, before)
			r.run("systemctl", "reload", "dnsmus")
			r.answers("edited.example", "198.51.100.9")
		}},
		{"upgrade", func(r *running) {
			// As unattended upgrades do, where both sides changed the file.
			r.run("dpkg", "--force-confdef", "--install", "/root/new.deb")
			r.answers("edited.example", "198.51.100.9")
			r.answers("only2.example", "198.51.100.2")
			if got := r.run("/proc/"+r.property("MainPID")+"/exe", "-version"); !strings.Contains(got, "dnsmus-"+newVersion) {
				r.Errorf("what runs is %s", got)
			}
			if text := r.read(corefile); !strings.Contains(text, edit) || strings.Contains(text, "# Later.") {
				r.Errorf("the Corefile is now\n%s", text)
			}
		}},
		{"upgrade while disabled", func(r *running) {
			r.run("systemctl", "disable", "--now", "dnsmus")
			r.run("dpkg", "--install", "/root/new.deb")
			for _, what := range []string{"is-active", "is-enabled"} {
				if out, err := r.output("systemctl", what, "dnsmus"); err == nil {
					r.Errorf("%s: %s", what, out)
				}
			}
			r.run("systemctl", "enable", "--now", "dnsmus")
		}},
		{"remove", func(r *running) {
			r.run("dnsmus-default", "on")
			r.run("dpkg", "--remove", "dnsmus")
			if got := r.read("/etc/resolv.conf"); got != resolvConf {
				r.Errorf("/etc/resolv.conf is now\n%s", got)
			}
			if out, err := r.output("systemctl", "is-active", "dnsmus"); err == nil {
				r.Errorf("the service is %s", out)
			}
			for _, path := range []string{corefile, list} {
				if !exists(r.path(path)) {
					r.Errorf("%s is gone", path)
				}
			}
		}},
		{"come back", func(r *running) {
			r.run("dpkg", "--install", "/root/new.deb")
			r.answers("edited.example", "198.51.100.9")
		}},
		{"remove beside a file that somebody wrote", func(r *running) {
			r.write("/etc/resolv.conf", "nameserver 127.0.0.123\n")
			if out := r.run("dpkg", "--remove", "dnsmus"); !strings.Contains(out, "write a line 'nameserver ADDRESS'") {
				r.Errorf("it leaves a machine without DNS, and without a word:\n%s", out)
			}
			r.write("/etc/resolv.conf", resolvConf)
			r.run("dpkg", "--install", "/root/new.deb")
		}},
		{"purge", func(r *running) {
			r.run("dpkg", "--purge", "dnsmus")
			r.expectFiles(before)
		}},
		{"install without resolvers", func(r *running) {
			r.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
			if out := r.run("dpkg", "--install", "/root/new.deb"); !strings.Contains(out, "write a line 'nameserver ADDRESS'") {
				r.Errorf("it does not say what to do:\n%s", out)
			}
			r.write(list, lines("nameserver", upstreams...))
			r.answers("only3.example", "198.51.100.3")
		}},
	}
	for _, step := range steps {
		if !t.Run(step.name, func(t *testing.T) { step.do(r.in(t)) }) {
			return // the next steps stand on this one
		}
	}
}

func TestRPM(t *testing.T) {
	m := newMachine(t)
	testkit.Need(t, true, "rpm")
	rpm := func(args ...string) {
		t.Helper()
		run(t, append([]string{"rpm", "--root", m.root, "--nodeps"}, args...)...)
	}

	rpm("--install", released(t, builds.old, ".x86_64.rpm"))
	if got, want := servers(m.read(list)), lines("nameserver", upstreams...); got != want {
		t.Errorf("%s names\n%s\nwant\n%s", list, got, want)
	}
	if !exists(m.path(enabled)) { // Debian's preset enables all
		t.Error("not enabled as the presets say")
	}

	m.write(corefile, m.read(corefile)+edit)
	if err := os.Remove(m.path(enabled)); err != nil {
		t.Fatal(err)
	}
	rpm("--upgrade", released(t, builds.new, ".x86_64.rpm"))
	if text := m.read(corefile); !strings.Contains(text, edit) || strings.Contains(text, "# Later.") {
		t.Errorf("after the upgrade the Corefile is\n%s", text)
	}
	if got := run(t, "chroot", m.root, "/usr/bin/dnsmus", "-version"); !strings.Contains(got, "dnsmus-"+newVersion) {
		t.Errorf("installed is %s", got)
	}
	if exists(m.path(enabled)) {
		t.Error("the upgrade enabled it again")
	}

	run(t, "chroot", m.root, "systemctl", "enable", "dnsmus")
	rpm("--erase", "dnsmus")
	for _, path := range []string{enabled, "/usr/bin/dnsmus", "/usr/lib/dnsmus", "/usr/share/dnsmus", "/usr/share/doc/dnsmus", corefile} {
		if exists(m.path(path)) {
			t.Errorf("%s was left behind", path)
		}
	}
	if text := m.read(corefile + ".rpmsave"); !strings.Contains(text, edit) {
		t.Errorf("what was saved of the Corefile is\n%s", text)
	}
}

func TestSeed(t *testing.T) {
	m := newMachine(t)
	run(t, "cp", "seed-upstreams", m.path("/root"))
	run(t, "cp", "../hooks/dnsmus-resolv", m.path("/usr/sbin"))
	const (
		networkManager = "/run/NetworkManager/no-stub-resolv.conf"
		resolved       = "/run/systemd/resolve/resolv.conf"
		system         = "/etc/resolv.conf"
	)
	tests := map[string]struct {
		files map[string]string
		want  string // nameservers in the list
		says  bool   // that the administrator must write it
	}{
		"NetworkManager first": {
			files: map[string]string{networkManager: "192.0.2.1", resolved: "192.0.2.2", system: "192.0.2.3"},
			want:  "192.0.2.1",
		},
		"then systemd-resolved": {
			files: map[string]string{resolved: "192.0.2.2 fe80::1%2", system: "192.0.2.3"},
			want:  "192.0.2.2 fe80::1%2",
		},
		"none but loopback": {
			files: map[string]string{networkManager: "127.0.0.1 ::1", system: "192.0.2.3 127.0.0.53 192.0.2.3 0.0.0.0 ::1"},
			want:  "192.0.2.3",
		},
		"nothing": {
			files: map[string]string{networkManager: "", system: "127.0.0.1 ::1"},
			says:  true,
		},
		"there is a list": {
			files: map[string]string{list: "192.0.2.4", system: "192.0.2.3"},
			want:  "192.0.2.4",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := m.in(t)
			for _, path := range []string{networkManager, resolved, system, list} {
				os.Remove(m.path(path))
			}
			for path, addresses := range test.files {
				m.write(path, "# nameserver 192.0.2.99\nsearch example\n"+lines("nameserver", strings.Fields(addresses)...))
			}
			out := run(t, "chroot", m.root, "/root/seed-upstreams")
			if got, want := servers(m.read(list)), lines("nameserver", strings.Fields(test.want)...); got != want {
				t.Errorf("%s names\n%s\nwant\n%s", list, got, want)
			}
			if says := strings.Contains(out, "nameserver ADDRESS"); says != test.says {
				t.Errorf("it says %q", out)
			}
			if info, err := os.Stat(m.path(list)); err != nil || info.Mode() != 0o644 {
				t.Errorf("not for all to read: %v, %v", info.Mode(), err)
			}
		})
	}
	t.Run("dnsmus finds them itself", func(t *testing.T) {
		m := m.in(t)
		os.Remove(m.path(list))
		m.write(system, lines("nameserver", "192.0.2.3"))
		m.write("/usr/bin/dnsmus", "#!/bin/sh\n[ \"$*\" = 'explain --links' ]\n")
		run(t, "chmod", "755", m.path("/usr/bin/dnsmus"))
		defer os.Remove(m.path("/usr/bin/dnsmus"))
		if out := run(t, "chroot", m.root, "/root/seed-upstreams"); out != "" || exists(m.path(list)) {
			t.Errorf("it says %q, and made a list: %t", out, exists(m.path(list)))
		}
	})
	t.Run("a link", func(t *testing.T) {
		m := m.in(t)
		os.Remove(m.path(list))
		if err := os.Symlink(networkManager, m.path(list)); err != nil {
			t.Fatal(err)
		}
		os.Remove(m.path(networkManager)) // not there yet
		run(t, "chroot", m.root, "/root/seed-upstreams")
		if to, err := os.Readlink(m.path(list)); to != networkManager {
			t.Errorf("the administrator's link is now %q, %v", to, err)
		}
	})
}

//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// TestRewritesUnderLoad rewrites the file of upstreams again and again, in all
// ways that programs have, while queries come. One of two resolvers that know
// all names is always in the file; so not one answer may be missing or wrong.
func TestRewritesUnderLoad(t *testing.T) {
	const inBurst = 10 // each burst is settled before the next
	bursts := testkit.Times(2*len(rewrites), 100)
	l := newLoopback(t)
	known := []string{l.fake(answers), l.fake(answers)}
	others := []string{l.fake(denies), l.fake(denies), l.fake(is("silent"))}
	markers := []string{l.fake(is("m0")), l.fake(is("m1"))}
	conf := l.write("resolv.conf.dnsmus", nameservers(known[0]))
	port, metrics, p := l.server(`dnsmus resolv.conf.dnsmus`)
	before := l.usage(p, metrics)
	inEffect := func(marker int) {
		t.Helper()
		l.eventually(func() error {
			// Another name each time: equal questions share a race, also one that
			// began before the file was written.
			name := fmt.Sprintf("m%d.x%d.example.", marker, rand.Uint64())
			if got := ask("127.0.0.1:"+port, name, 500*time.Millisecond); got != "NOERROR" {
				return fmt.Errorf("the file with resolver m%d is not in effect: %s", marker, got)
			}
			return nil
		})
	}

	load := l.load("127.0.0.1:"+port, testkit.Times(1000, 5000))
	for b := range bursts {
		way := rewrites[b%len(rewrites)]
		for i := range inBurst {
			servers := []string{known[rand.IntN(2)]}
			for _, addr := range append(known, others...) {
				if addr != servers[0] && rand.IntN(2) == 0 {
					servers = append(servers, addr)
				}
			}
			if i == inBurst-1 {
				servers = append(servers, markers[b%2])
			}
			rand.Shuffle(len(servers), func(i, j int) { servers[i], servers[j] = servers[j], servers[i] })
			if err := way.write(conf, nameservers(servers...)); err != nil {
				t.Fatalf("%s: %v", way.name, err)
			}
			time.Sleep(time.Duration(rand.IntN(4)) * time.Millisecond)
		}
		time.Sleep(150 * time.Millisecond) // asked before, the silent one holds the denial up
		inEffect(b % 2)
	}
	load.stop().mustAllBeGood(t)

	// What is down is probed; but not when it is no upstream any more.
	var silent []string
	for range 8 {
		silent = append(silent, l.fake(is("silent")))
	}
	rename := rewrites[2].write
	for i, servers := range [][]string{append(silent, markers[0]), markers[1:]} {
		if err := rename(conf, nameservers(servers...)); err != nil {
			t.Fatal(err)
		}
		inEffect(i)
		if got := ask("127.0.0.1:"+port, "nobody.example.", patience); got != "NXDOMAIN" {
			t.Errorf("a name that nobody knows: %s", got)
		}
	}
	l.eventually(func() error { return before.exceededBy(l.usage(p, metrics)) })
	if n := metric(t, metrics, `coredns_dnsmus_resolv_conf_reloads_total{result="success"}`); n < float64(bursts) {
		t.Errorf("%v successful reloads for %d bursts", n, bursts)
	}
}

// TestHalvesUnderLoad has a list written again and again in two parts, with a pause
// between them. The only resolver that knows names is in the second, so not one answer
// may be wrong.
func TestHalvesUnderLoad(t *testing.T) {
	l := newLoopback(t)
	knows, other := l.fake(answers), l.fake(denies)
	conf := l.write("resolv.conf.dnsmus", nameservers(other, knows))
	port, _, p := l.server(`dnsmus resolv.conf.dnsmus`)
	load := l.load("127.0.0.1:"+port, testkit.Times(300, 1000))
	for _, pause := range []time.Duration{25 * time.Millisecond, 400 * time.Millisecond} {
		for end := time.Now().Add(time.Duration(testkit.Times(3, 30)) * time.Second); time.Now().Before(end); {
			f, err := os.Create(conf)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range []string{"nameserver " + other, "\n", "nameserver " + knows + "\n"} {
				_, err = f.WriteString(part)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(pause)
			}
			f.Close()
		}
	}
	load.stop().mustAllBeGood(t)
	if text := p.Printed(); strings.Contains(text, "removed: "+knows) {
		t.Errorf("it was taken half:\n%s", text)
	}
	// What is really taken away goes, though it may have been a half.
	if err := os.WriteFile(conf, []byte(nameservers(other)), 0o644); err != nil {
		t.Fatal(err)
	}
	p.prints("removed: " + knows)
}

// rewrites are the ways to change a file.
var rewrites = []struct {
	name  string
	write func(path, text string) error
}{
	{"in place", func(path, text string) error {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString(text)
		return errors.Join(err, f.Truncate(int64(len(text))), f.Close())
	}},
	{"truncated, then written", func(path, text string) error {
		return os.WriteFile(path, []byte(text), 0o644)
	}},
	{"renamed over", func(path, text string) error {
		err := os.WriteFile(path+".new", []byte(text), 0o644)
		return errors.Join(err, os.Rename(path+".new", path))
	}},
	{"link set to another", func(path, text string) error {
		old, _ := os.Readlink(path) // none, at first
		target := fmt.Sprintf("%s.%d", path, rand.Uint64())
		err := os.WriteFile(target, []byte(text), 0o644)
		err = errors.Join(err, os.Symlink(filepath.Base(target), path+".link"), os.Rename(path+".link", path))
		if old != "" {
			err = errors.Join(err, os.Remove(filepath.Join(filepath.Dir(path), old)))
		}
		return err
	}},
}

func nameservers(servers ...string) string {
	return "nameserver " + strings.Join(servers, "\nnameserver ") + "\n"
}

// TestFollow changes the file as programs and their users do, with real servers.
func TestFollow(t *testing.T) {
	t.Parallel()
	const corefile = `.:5553 {
		bind 127.0.0.1
		dnsmus resolv.conf.dnsmus vpn/resolv.conf
		prometheus 127.0.0.1:9153
		errors
	}`
	const wiki, db = "@127.0.0.1 -p 5553 wiki.corp.example", "@127.0.0.1 -p 5553 db.corp.example"
	begin := func(t *testing.T) *lab {
		l := newLab(t, "unbound", "dnsmasq", "bash")
		l.alpha()
		l.gamma()
		l.resolvConf("127.0.0.11")
		return l
	}
	rename := func(l *lab, text string) {
		l.Helper()
		l.write("new", text)
		if err := os.Rename(filepath.Join(l.dir, "new"), filepath.Join(l.dir, "resolv.conf.dnsmus")); err != nil {
			l.Fatal(err)
		}
	}
	becomesFailures := func(l *lab, want float64) {
		l.Helper()
		l.eventually(func() error {
			if got := l.metric("127.0.0.1:9153", `coredns_dnsmus_resolv_conf_reloads_total{result="failure"}`); got != want {
				return fmt.Errorf("%v failures, want %v", got, want)
			}
			return nil
		})
	}

	t.Run("renamed over", func(t *testing.T) {
		l := begin(t)
		p := l.coredns(corefile).awaits(wiki)
		l.expect(db, "NXDOMAIN")
		rename(l, nameservers("127.0.0.11", "127.0.0.13"))
		l.becomes(db, "NOERROR 10.3.0.30")
		rename(l, nameservers("127.0.0.13"))
		l.becomes(wiki, "NXDOMAIN")
		p.prints("added: none; removed: 127.0.0.11:53")
	})

	// The old servers stay. A second file shows that the first was read again
	// since, and said no more.
	t.Run("emptied", func(t *testing.T) {
		l := begin(t)
		p := l.coredns(corefile).awaits(wiki)
		l.resolvConf("127.0.0.11", "127.0.0.13")
		l.becomes(db, "NOERROR 10.3.0.30")
		l.write("resolv.conf.dnsmus", "")
		becomesFailures(l, 1)
		l.expect(wiki, "NOERROR 10.1.0.10")
		l.expect(db, "NOERROR 10.3.0.30")
		l.mkdir("vpn")
		for _, server := range []string{"127.0.0.21", "127.0.0.22"} {
			l.write("vpn/resolv.conf", nameservers(server))
			p.prints("added: " + server + ":53")
		}
		becomesFailures(l, 1)
		if n := strings.Count(p.Printed(), "resolv.conf.dnsmus has no usable nameserver"); n != 1 {
			t.Errorf("%d warnings about the empty file, want 1", n)
		}
		l.resolvConf("127.0.0.13")
		l.becomes(wiki, "NXDOMAIN")
	})

	t.Run("permission lost and regained", func(t *testing.T) {
		l := begin(t)
		// Nobody cannot look into the directories of the tests.
		if err := os.Chmod(filepath.Dir(l.dir), 0o755); err != nil {
			t.Fatal(err)
		}
		binary := filepath.Join(l.dir, "coredns")
		l.run("cp", testkit.Binary(t), binary)
		p := l.start("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--pdeathsig=KILL",
			binary, "-conf", l.write("Corefile", corefile)).awaits(wiki)
		conf := filepath.Join(l.dir, "resolv.conf.dnsmus")
		for i, text := range []string{nameservers("127.0.0.11", "127.0.0.13"), nameservers("127.0.0.11")} {
			if err := os.Chmod(conf, 0); err != nil {
				t.Fatal(err)
			}
			becomesFailures(l, float64(i+1))
			p.prints("permission denied")
			l.write("resolv.conf.dnsmus", text) // root may
			l.expect(wiki, "NOERROR 10.1.0.10")
			if err := os.Chmod(conf, 0o644); err != nil {
				t.Fatal(err)
			}
			l.becomes(db, []string{"NOERROR 10.3.0.30", "NXDOMAIN"}[i])
		}
	})

	t.Run("own address", func(t *testing.T) {
		l := begin(t)
		p := l.coredns(corefile).awaits(wiki)
		l.resolvConf("127.0.0.1:5553", "127.0.0.13")
		l.becomes(db, "NOERROR 10.3.0.30")
		l.expect(wiki, "NXDOMAIN")
		p.prints("Upstream 127.0.0.1:5553 is left out")
		l.resolvConf("127.0.0.1:5553") // and now there is nobody else
		p.prints("no upstream is left")
		l.expect(db, "NOERROR 10.3.0.30")
		l.resolvConf("127.0.0.11")
		l.becomes(wiki, "NOERROR 10.1.0.10")
	})

	t.Run("second file comes and goes", func(t *testing.T) {
		l := begin(t)
		p := l.coredns(corefile).awaits(wiki)
		p.prints("vpn/resolv.conf: no such file or directory")
		l.expect(db, "NXDOMAIN")
		l.mkdir("vpn")
		l.write("vpn/resolv.conf", nameservers("127.0.0.11", "127.0.0.13"))
		l.becomes(db, "NOERROR 10.3.0.30")
		l.expect(wiki, "NOERROR 10.1.0.10")
		if err := os.RemoveAll(filepath.Join(l.dir, "vpn")); err != nil {
			t.Fatal(err)
		}
		becomesFailures(l, 1)
		l.expect(db, "NOERROR 10.3.0.30")
		l.mkdir("vpn")
		l.write("vpn/resolv.conf", nameservers("127.0.0.11"))
		l.becomes(db, "NXDOMAIN")
	})
}

func (l *lab) mkdir(name string) {
	l.Helper()
	if err := os.Mkdir(filepath.Join(l.dir, name), 0o755); err != nil {
		l.Fatal(err)
	}
}

// prints waits until the process has printed text.
func (p *process) prints(text string) {
	p.lab.Helper()
	p.printsTimes(1, text)
}

// printsTimes waits until the process has printed text n times.
func (p *process) printsTimes(n int, text string) {
	p.lab.Helper()
	p.lab.eventually(func() error {
		if found := strings.Count(p.Printed(), text); found < n {
			return fmt.Errorf("%q is in the log %d times, want %d", text, found, n)
		}
		return nil
	})
}

// reloads tells the process to read its Corefile again, and waits until it begins
// to. A server on a busy machine may answer before it takes signals, and the runtime
// drops those that come earlier, so one that it does not heed is sent again.
func (p *process) reloads() {
	p.lab.Helper()
	const heeded = "[INFO] SIGUSR1: Reloading"
	before := strings.Count(p.Printed(), heeded)
	var sent time.Time
	p.lab.eventually(func() error {
		if strings.Count(p.Printed(), heeded) > before {
			return nil
		}
		if time.Since(sent) > 2*time.Second {
			p.Signal(syscall.SIGUSR1)
			sent = time.Now()
		}
		return errors.New("SIGUSR1 is not heeded")
	})
}

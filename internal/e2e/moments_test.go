//go:build linux

package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// R24: soon after the network has changed, whoever asks gets what an empty cache would
// give, or what an upstream gave that has just gone: six clients at once, C libraries and node,
// of the packages' Corefile and of the command without one. Names were looked up before, and all
// may be kept for an hour.
func TestR24NetworkChanges(t *testing.T) {
	const packaged, alone = "@127.0.0.123", "@127.0.0.1 -p 5553"
	l := newLab(t, "dnsmasq", "getent")
	l.systemResolver("127.0.0.123", "")
	l.dnsmasq("127.0.0.11", "53", "--host-record=git.corp.example,203.0.113.5", "--address=/#/", "--local-ttl=3600").awaits("@127.0.0.11 git.corp.example")

	// Two networks that have a resolver at one address, of which the machine is in one at most.
	const resolver = "10.9.0.53"
	var sites []*lab
	var resolvers []*process
	for i, names := range [][]string{{"wiki.corp.example,10.1.0.10", "git.corp.example,10.1.2.3"}, {"shop.corp.example,10.2.0.20", "git.corp.example,10.2.2.3"}} {
		site := addLab(t)
		join(l, site, fmt.Sprintf("10.9.0.%d/24", 2+i), resolver+"/24")
		args := []string{"--address=/#/", "--local-ttl=3600"}
		for _, name := range names {
			args = append(args, "--host-record="+name)
		}
		resolvers = append(resolvers, site.dnsmasq(resolver, "53", args...).awaits("@"+resolver+" git.corp.example"))
		l.run("ip", "link", "set", l.linkTo(site), "down")
		sites = append(sites, site)
	}
	list := func(servers ...string) { // as dnsmus-resolv puts it there, so that it counts at once
		l.write("new", "nameserver "+strings.Join(servers, "\nnameserver ")+"\n")
		l.run("mv", "new", "resolv.conf.dnsmus")
	}
	be := func(in int, is string) { l.run("ip", "link", "set", l.linkTo(sites[in]), is) }

	l.resolvConf("127.0.0.11")
	p := l.coredns(l.packagedCorefile()).awaits(packaged + " git.corp.example")
	l.start(testkit.Binary(t), "5553", filepath.Join(l.dir, "resolv.conf.dnsmus")).awaits(alone + " git.corp.example")

	node, _ := exec.LookPath("node") // where there is one
	script, err := filepath.Abs("testdata/lookup.js")
	if err != nil {
		t.Fatal(err)
	}
	gets := func(query string) string {
		got := make([]string, 6)
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() { got[i] = strings.TrimPrefix(l.ask(query).String(), "NOERROR ") })
		}
		all.Wait()
		slices.Sort(got)
		return strings.Join(slices.Compact(got), " or ")
	}
	check := func(when string, want map[string]string) {
		t.Helper()
		time.Sleep(2 * time.Second) // less than a denial lives
		for _, front := range []string{packaged, alone} {
			for name, want := range want {
				if got := gets(front + " " + name + ".corp.example"); got != want {
					t.Errorf("%s, %s: %s is %s, want %s", when, front, name, got, want)
				}
			}
		}
		for library, addresses := range l.libraries() {
			for name, want := range want {
				if got := addresses(name + ".corp.example"); got != want && (want != "NXDOMAIN" || strings.Contains(got, "10.")) {
					t.Errorf("%s, %s: %s is %q, want %q", when, library, name, got, want)
				}
			}
		}
		if node == "" {
			return
		}
		out, err := l.lookUp(node, script, "wiki.corp.example", "git.corp.example", "shop.corp.example")
		if err != nil {
			t.Fatalf("%s: %v\n%s", when, err, out)
		}
		for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
			words := strings.SplitN(line, ",", 3)
			want, ok := want[strings.TrimSuffix(words[1], ".corp.example")]
			if got := words[2]; ok && got != want && (want != "NXDOMAIN" || got != "ENOTFOUND") {
				t.Errorf("%s, node's %s: %s is %q, want %q", when, words[0], words[1], got, want)
			}
		}
	}
	nowhere := map[string]string{"wiki": "NXDOMAIN", "git": "203.0.113.5", "shop": "NXDOMAIN"}
	first := map[string]string{"wiki": "10.1.0.10", "shop": "NXDOMAIN"}
	second := map[string]string{"wiki": "NXDOMAIN", "shop": "10.2.0.20"}
	check("at first", nowhere)

	be(0, "up")
	list("127.0.0.11", resolver)
	check("connected", first)

	resolvers[0].Signal(syscall.SIGSTOP)
	be(0, "down")
	be(0, "up")
	resolvers[0].Signal(syscall.SIGCONT)
	check("connected again", first)

	be(0, "down")
	be(1, "up")
	check("in another network with a resolver at the same address", second)

	p.Signal(syscall.SIGSTOP)
	be(1, "down")
	be(0, "up")
	p.Signal(syscall.SIGCONT)
	check("in the first network, after a pause of the process", first)

	resolvers[0].Kill()
	sites[0].dnsmasq(resolver, "53", "--host-record=wiki.corp.example,10.1.0.10", "--address=/#/", "--local-ttl=3600").awaits("@" + resolver + " wiki.corp.example")
	check("its resolver was started again", first)

	be(0, "down")
	list("127.0.0.11")
	gone := map[string]string{"wiki": "10.1.0.10", "git": "203.0.113.5", "shop": "NXDOMAIN"} // it may come back
	check("disconnected", gone)

	list("127.0.0.11", resolver+"%"+l.linkTo(sites[0]))
	be(0, "up")
	check("connected over an interface of its own", first)
	be(0, "down")
	check("its interface is gone", gone)
	be(0, "up")
	check("its interface is back", first)
	list("127.0.0.11", resolver+"%"+l.linkTo(sites[1]))
	be(1, "up")
	check("over another interface to another network", map[string]string{"shop": "10.2.0.20"})
}

// R24: while the list changes again and again no query is lost, and no name denied that one of
// the lists' resolvers knows all the time.
func TestR24ChangesUnderLoad(t *testing.T) {
	l := newLab(t, "dnsmasq")
	for i, addr := range []string{"127.0.0.11", "127.0.0.12", "127.0.0.13"} {
		l.dnsmasq(addr, "53", "--host-record=wiki.corp.example,10.1.0.10", "--address=/#/", fmt.Sprintf("--local-ttl=%d", 1+i)).awaits("@" + addr + " wiki.corp.example")
	}
	l.resolvConf("127.0.0.11")
	l.coredns(l.packagedCorefile()).awaits("@127.0.0.123 wiki.corp.example")
	var done atomic.Bool
	var all sync.WaitGroup
	asked := atomic.Int64{}
	for range 4 {
		all.Go(func() {
			for !done.Load() {
				asked.Add(1)
				l.expect("@127.0.0.123 wiki.corp.example", "NOERROR 10.1.0.10")
			}
		})
	}
	lists := [][]string{{"127.0.0.11", "127.0.0.12"}, {"127.0.0.13"}, {"127.0.0.12", "127.0.0.13"}, {"127.0.0.11"}}
	for i := range 100 {
		l.resolvConf(lists[i%len(lists)]...)
		time.Sleep(50 * time.Millisecond)
	}
	done.Store(true)
	all.Wait()
	t.Logf("%d queries during 100 changes", asked.Load())
}

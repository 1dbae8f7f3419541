//go:build linux

package e2e

import (
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// tail shows races that the filter lets through, upstreams that go down and come up, and that the
// server ends.
func TestTail(t *testing.T) {
	l := newLab(t)
	var dead atomic.Bool
	knows := answerIn("corp.example.", "10.1.0.10")
	l.fake("127.0.0.11", func(w dns.ResponseWriter, r *dns.Msg) {
		if !dead.Load() {
			knows(w, r)
		}
	})
	l.fake("127.0.0.12", answerIn("public.example.", "192.0.2.7"))
	p := l.told("127.0.0.11 127.0.0.12", "patience 4s\n timeout 12s").awaits("@127.0.0.1 wiki.corp.example")
	var watchers []*testkit.Process
	for _, args := range [][]string{{"tail"}, {"tail", "denied", "example"}, {"tail", "--json"}} {
		cmd := l.watch()
		cmd.Args = append(cmd.Args[:1], args...)
		watchers = append(watchers, testkit.Start(t, cmd))
	}
	printed := func(i int, words ...string) {
		t.Helper()
		l.eventually(func() error {
			for _, word := range words {
				if !strings.Contains(watchers[i].Printed(), word) {
					return fmt.Errorf("watcher %d does not print %q:\n%s", i, word, watchers[i].Printed())
				}
			}
			return nil
		})
	}
	for i := range watchers {
		printed(i, "Asked: the server on 127.0.0.1:53")
	}
	// It is known that all watch when all have seen a race.
	n := 0
	l.eventually(func() error {
		n++
		l.ask(fmt.Sprintf("@127.0.0.1 n%d.example", n))
		for i, w := range watchers {
			if !strings.Contains(w.Printed(), "NXDOMAIN") {
				return fmt.Errorf("watcher %d has seen no race", i)
			}
		}
		return nil
	})
	l.expect("@127.0.0.1 git.corp.example", "NOERROR 10.1.0.10")
	dead.Store(true)
	l.eventually(func() error { // a reply that is on its way, still, is a sign of life
		n++
		l.ask(fmt.Sprintf("@127.0.0.1 n%d.corp.example", n))
		if !strings.Contains(watchers[0].Printed(), "is down: ") {
			return fmt.Errorf("no word of an upstream that is down")
		}
		return nil
	})
	l.expect("@127.0.0.1 nas.corp.example", "NXDOMAIN")
	dead.Store(false)
	l.becomes("@127.0.0.1 back.corp.example", "NOERROR 10.1.0.10")
	printed(0, "git.corp.example. A 10.1.0.10 after ", " by 127.0.0.11:53", "upstream 127.0.0.11:53 is down: ", "nas.corp.example. A NXDOMAIN after ", "no opinion from 127.0.0.11:53", "upstream 127.0.0.11:53 is up")
	printed(1, "nas.corp.example. A NXDOMAIN")
	printed(2, `"event":"race"`, `"name":"git.corp.example."`, `"event":"upstream"`)
	if text := watchers[1].Printed(); strings.Contains(text, "git.corp.example") {
		t.Errorf("what is not denied is shown:\n%s", text)
	}
	p.Process.Signal(syscall.SIGINT)
	for i, w := range watchers {
		<-w.Done()
		if !strings.Contains(w.Printed(), "the server has ended") || w.ExitCode() != 0 {
			t.Errorf("watcher %d ends with %v:\n%s", i, w.State(), w.Printed())
		}
		testkit.Shown(t, w.Printed(), 10000)
	}
}

// Names that would change a terminal, turn the direction of writing or be taken for a page's do so
// nowhere.
func TestHostileNames(t *testing.T) {
	l := newLab(t)
	l.fake("127.0.0.11", answerIn("corp.example.", "10.1.0.10"))
	l.told("127.0.0.11", "").awaits("@127.0.0.1 wiki.corp.example")
	watcher := testkit.Start(t, l.watch())
	l.eventually(func() error {
		if !strings.Contains(watcher.Printed(), "Asked: the server on") {
			return fmt.Errorf("it does not watch yet: %s", watcher.Printed())
		}
		return nil
	})
	label := strings.Repeat(`\255`, 63)
	names := []string{
		`<img/src=x/onerror=alert\(1\)>.corp.test.`,
		`\027[2J\027]0;title\007.corp.test.`,
		`\226\128\174evil\226\129\166.corp.test.`,
		`\r\n\"'` + "`" + `.corp.test.`,
		label + "." + label + "." + label + "." + strings.Repeat(`\255`, 61) + ".",
	}
	for _, name := range names {
		l.inside(func() {
			reply, _, err := new(dns.Client).Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), "127.0.0.1:53")
			if err != nil || reply.Rcode != dns.RcodeNameError {
				t.Errorf("%s: %v, %v", name, reply, err)
			}
		})
		for _, args := range [][]string{{"why", name}, {"why", name, "--json"}, {"forget", name}, {"why", name}} {
			if _, out := l.says(args...); len(args) > 2 && !strings.Contains(out, "NXDOMAIN") {
				t.Errorf("%s: nothing is remembered:\n%s", name, out)
			}
		}
	}
	l.eventually(func() error {
		if n := strings.Count(watcher.Printed(), "NXDOMAIN"); n < len(names) {
			return fmt.Errorf("%d lines:\n%s", n, watcher.Printed())
		}
		return nil
	})
	testkit.Shown(t, watcher.Printed(), 10000)
	l.says("zones")
	l.says("status")
}

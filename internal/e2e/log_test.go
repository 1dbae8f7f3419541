//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// TestLogFormat logs in the format that docs/reference.md has for it.
func TestLogFormat(t *testing.T) {
	l := newLoopback(t)
	readme, err := os.ReadFile(filepath.Join(testkit.Root(t), "docs/reference.md"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^ *log \. .*\{/dnsmus/upstream\}.*\{/dnsmus/verdict\}.*$`).FindString(string(readme))
	if line == "" {
		t.Fatal("docs/reference.md has no such line")
	}
	first, second := l.fake(is("load1")), l.fake(is("known"))
	port, _, p := l.server(fmt.Sprintf("metadata\n%s\ndnsmus %s %s", line, first, second))
	silent, _, none := l.server(fmt.Sprintf("metadata\n%s\ndnsmus %s {\ntimeout 100ms\n}", line, l.fake(is("silent"))))
	ask("127.0.0.1:"+port, "load1.example.", patience)
	ask("127.0.0.1:"+port, "known.example.", patience)
	ask("127.0.0.1:"+port, "nobody.example.", patience)
	ask("127.0.0.1:"+silent, "silent.example.", patience)
	for _, want := range []struct {
		p    *process
		line string
	}{
		{p, `127.0.0.1 TXT load1.example. NOERROR [0-9.e-]+s by ` + first + `: good`},
		{p, `127.0.0.1 TXT known.example. NOERROR [0-9.e-]+s by ` + second + `: good`},
		{p, `127.0.0.1 TXT nobody.example. NXDOMAIN [0-9.e-]+s by ` + first + `: nxdomain`},
		{none, `127.0.0.1 TXT silent.example. SERVFAIL [0-9.e-]+s by -: none`},
	} {
		l.eventually(func() error {
			if n := len(regexp.MustCompile(`(?m)^\[INFO\] `+want.line+`$`).FindAllString(want.p.Printed(), -1)); n != 1 {
				return fmt.Errorf("%d lines of %s", n, want.line)
			}
			return nil
		})
	}
}

// TestStateInLog: an upstream that falls silent and comes back says so once each,
// however many queries there are; and so does a list that changes.
func TestStateInLog(t *testing.T) {
	testkit.Need(t, false, "dnsmasq")
	l := newLoopback(t)
	known := l.fake(answers)
	r, db := l.resolver("db.example", "10.3.0.30")
	l.resolvConf(known, db)
	port, metrics, p := l.server("dnsmus resolv.conf.dnsmus {\npatience 4s\ntimeout 12s\n}")
	server := "127.0.0.1:" + port
	const times = 3
	for i := range times {
		r.Signal(syscall.SIGSTOP)
		var all sync.WaitGroup
		for j := range 20 {
			all.Go(func() { ask(server, fmt.Sprintf("away%d-%d.example.", i, j), patience) })
		}
		all.Wait()
		p.printsTimes(i+1, "Upstream "+db+" is down")
		r.Signal(syscall.SIGCONT)
		p.printsTimes(i+1, "Upstream "+db+" is up again")
		for j := range 20 {
			ask(server, fmt.Sprintf("back%d-%d.example.", i, j), patience)
		}
	}
	third := l.fake(denies)
	l.resolvConf(known, third)
	p.prints("Upstreams are now")
	l.becomes("@127.0.0.1 -p "+port+" db.example", "NXDOMAIN")
	for text, want := range map[string]int{
		"Upstream " + db + " is down":     times,
		"Upstream " + db + " is up again": times,
		"Upstream " + known + " is down":  0,
		"Upstreams are now " + known + ", " + third + "; added: " + third + "; removed: " + db: 1,
		"Upstreams are " + known + ", " + db + "\n":                                            1,
		"Upstreams are": 2,
	} {
		if n := strings.Count(p.Printed(), text); n != want {
			t.Errorf("%q is in the log %d times, want %d", text, n, want)
		}
	}
	if n := metric(t, metrics, `coredns_dnsmus_resolv_conf_reloads_total{result="success"}`); n != 1 {
		t.Errorf("%v reloads", n)
	}
}

// TestFlappingLog: an upstream that comes and goes all the time fills no disk.
func TestFlappingLog(t *testing.T) {
	const flaps = 30
	l := newLoopback(t)
	var away atomic.Bool
	flapping := l.fake(func(query *dns.Msg) *dns.Msg {
		if away.Load() {
			return nil
		}
		return denies(query)
	})
	port, metrics, p := l.server(fmt.Sprintf("dnsmus %s %s {\npatience 10ms\n}", l.fake(denies), flapping))
	begun := time.Now()
	for i := range flaps {
		for _, up := range []float64{0, 1} {
			away.Store(up == 0)
			l.eventually(func() error {
				ask("127.0.0.1:"+port, fmt.Sprintf("flap%d.example.", i), patience)
				if got := metric(t, metrics, fmt.Sprintf("coredns_dnsmus_upstream_up{to=%q}", flapping)); got != up {
					return fmt.Errorf("upstream_up is %v, want %v", got, up)
				}
				return nil
			})
		}
	}
	// Ten at once, and one each half minute.
	n, most := len(regexp.MustCompile("Upstream "+flapping+" is (down|up)").FindAllString(p.Printed(), -1)), 10+int(time.Since(begun)/(30*time.Second))
	if n == 0 || n > most {
		t.Errorf("%d lines about an upstream that flapped %d times, want 1 to %d", n, flaps, most)
	}
}

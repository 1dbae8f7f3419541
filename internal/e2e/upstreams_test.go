//go:build linux

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestManyUpstreams lists more servers than the C library takes, in all ways to
// write them; the last two are behind a link and have link-local addresses.
// Each knows one name and denies the others.
func TestManyUpstreams(t *testing.T) {
	l := newLab(t, "dnsmasq")
	far := addLab(t)
	l.run("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", far.ns)
	for i, side := range []*lab{l, far} {
		// No address but this one; duplicate address detection would take time.
		side.run("ip", "link", "set", "veth0", "addrgenmode", "none", "up")
		side.run("ip", "addr", "add", fmt.Sprintf("fe80::%d/64", i+1), "dev", "veth0", "nodad")
	}
	l.run("ip", "addr", "add", "fd00::53/128", "dev", "lo", "nodad")

	upstreams := []struct {
		in                   *lab
		listen, port, server string // its line in resolv.conf
	}{
		{l, "127.0.0.11", "53", "127.0.0.11"},
		{l, "127.0.0.12", "5302", "127.0.0.12:5302  # a comment"},
		{l, "127.0.0.13", "5303", "127.0.0.13#5303"},
		{l, "127.0.0.13", "5304", "[127.0.0.13]:5304"},
		{l, "fd00::53", "53", "fd00::53"},
		{l, "::1", "5305", "[::1]:5305"},
		{far, "fe80::2", "53", "fe80::2%veth0"},
		{far, "fe80::2", "5306", "[fe80::2%veth0]:5306"},
	}
	conf := []string{"; more than three", "search corp.example", "options ndots:2"}
	for i, u := range upstreams {
		conf = append(conf, "nameserver "+u.server)
		server := u.in.dnsmasq(u.listen, u.port, "--address=/#/", fmt.Sprintf("--host-record=host%d.example,10.0.0.%[1]d", i))
		ask := u.listen
		if u.in == far {
			ask += "%veth0"
		}
		server.awaits(fmt.Sprintf("@%s -p %s host%d.example", ask, u.port, i))
	}
	conf = append(conf, "nameserver 192.0.2", "nameserver fe80::2") // no addresses to ask
	l.write("resolv.conf.dnsmus", strings.Join(conf, "\n"))
	p := l.coredns(`.:53 {
		bind 127.0.0.1
		dnsmus resolv.conf.dnsmus
		errors
	}`).awaits("@127.0.0.1 host0.example")

	for i, u := range upstreams {
		for _, transport := range []string{"+notcp", "+tcp"} {
			query := fmt.Sprintf("@127.0.0.1 %s host%d.example", transport, i)
			if got, want := l.ask(query), fmt.Sprintf("NOERROR 10.0.0.%d", i); got.String() != want {
				t.Errorf("of nameserver %s: dig %s: %s, want %s", u.server, query, got, want)
			}
		}
	}
	l.expect("@127.0.0.1 nobody.example", "NXDOMAIN")
	// Lines that are of no use are named in the log.
	for i, word := range []string{"192.0.2", "fe80::2"} {
		line := fmt.Sprintf("resolv.conf.dnsmus:%d: %q", len(conf)-1+i, word)
		if !strings.Contains(p.Printed(), line) {
			t.Errorf("no warning %s... in the log", line)
		}
	}
}

// TestUpstreamsComeAndGo takes each of three resolvers away and back, while
// names of the other two are asked for all the time.
func TestUpstreamsComeAndGo(t *testing.T) {
	t.Parallel()
	names := []struct{ name, want string }{
		{"wiki.corp.example", "NOERROR 10.1.0.10"},
		{"git.corp.example", "NOERROR 10.2.0.20"},
		{"db.corp.example", "NOERROR 10.3.0.30"},
	}
	for _, way := range []struct {
		name string
		away func(*process)
		back func(p *process, start func() *process) *process
	}{
		{
			"killed", // its port is closed
			(*process).Kill,
			func(_ *process, start func() *process) *process { return start() },
		},
		{
			"stopped", // it is silent
			func(p *process) { p.Signal(syscall.SIGSTOP) },
			func(p *process, _ func() *process) *process { p.Signal(syscall.SIGCONT); return p },
		},
	} {
		t.Run(way.name, func(t *testing.T) {
			l := newLab(t, "unbound", "named", "dnsmasq")
			upstreams := l.threeResolvers()
			start := []func() *process{l.alpha, l.beta, l.gamma}
			// Of the second block good answers must come without any wait for the
			// upstream that is away: dig would not wait so long.
			l.coredns(`
				.:53 {
					bind 127.0.0.1
					dnsmus resolv.conf.dnsmus
					errors
				}
				.:5553 {
					bind 127.0.0.1
					dnsmus resolv.conf.dnsmus {
						patience 1m
						timeout 1m
					}
					errors
				}`).awaits("@127.0.0.1 . SOA")

			for i, gone := range names {
				others := slices.Delete(slices.Clone(names), i, i+1)
				l.whileAsking(func(n int) (query, want string) {
					return "-p 5553 " + others[n%2].name, others[n%2].want
				}, func() {
					way.away(upstreams[i])
					l.becomes("@127.0.0.1 "+gone.name, "NXDOMAIN") // the others deny it
					upstreams[i] = way.back(upstreams[i], start[i])
					l.becomes("@127.0.0.1 "+gone.name, gone.want)
				})
			}
		})
	}
}

// whileAsking runs f, and until it returns asks 127.0.0.1 the queries that next
// returns, over both transports. All of them must be answered as wanted.
func (l *lab) whileAsking(next func(n int) (query, want string), f func()) {
	l.Helper()
	stop := make(chan struct{})
	var asking sync.WaitGroup
	defer asking.Wait()
	defer close(stop)
	for _, transport := range []string{"+notcp", "+tcp"} {
		asking.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
					query, want := next(n)
					l.expect("@127.0.0.1 "+transport+" "+query, want)
				}
			}
		})
	}
	f()
}

// becomes asks until the reply is as wanted.
func (l *lab) becomes(query, want string) {
	l.Helper()
	l.eventually(func() error {
		if got := l.ask(query); got.String() != want {
			return fmt.Errorf("dig %s: still %s, want %s\n%s", query, got, want, got.text)
		}
		return nil
	})
}

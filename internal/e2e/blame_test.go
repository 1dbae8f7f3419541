//go:build linux

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// says runs a command that asks the server of the lab, and returns what people see of it in 80
// columns.
func (l *lab) says(args ...string) (status int, out string) {
	l.Helper()
	binary := testkit.Binary(l.T)
	ctx, cancel := context.WithTimeout(l.Context(), patience)
	defer cancel()
	cmd := l.command(ctx, append([]string{binary}, args...)...)
	cmd.Env = append(os.Environ(), "DNSMUS_CONTROL="+l.socket(), "LANG=C", "NO_COLOR=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	status = exitStatus(l, l.finish(cmd))
	if stderr.Len() > 0 {
		l.Errorf("%v: %s", args, &stderr)
	}
	l.Logf("$ dnsmus %s\n%s", strings.Join(args, " "), testkit.Shown(l, stdout.String(), 1000))
	return status, stdout.String()
}

// socket is the path of the lab's control socket, which is short enough for one.
func (l *lab) socket() string { return filepath.Join(os.TempDir(), l.ns, "control") }

// mustSay requires that the words are in what a command says.
func (l *lab) mustSay(out string, words ...string) {
	l.Helper()
	for _, word := range words {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), word) {
			l.Errorf("it does not say %q:\n%s", word, out)
		}
	}
}

// answerIn is a resolver that knows the names of a zone, and denies all others.
func answerIn(zone, addr string) dns.HandlerFunc {
	return func(w dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg).SetReply(r)
		m.RecursionAvailable = true
		soa := &dns.SOA{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60}, Ns: "ns.example.", Mbox: "hostmaster.example.", Minttl: 60}
		switch q := r.Question[0]; {
		case !dns.IsSubDomain(zone, q.Name):
			m.Rcode, m.Ns = dns.RcodeNameError, []dns.RR{soa}
		case q.Qtype != dns.TypeA:
			m.Ns = []dns.RR{soa}
		default:
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.ParseIP(addr)}}
		}
		w.WriteMsg(m)
	}
}

// told starts a dnsmus with a control socket.
func (l *lab) told(to, options string) *process {
	l.Helper()
	dir := filepath.Dir(l.socket())
	if err := os.Mkdir(dir, 0o755); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { os.RemoveAll(dir) })
	return l.coredns(fmt.Sprintf(".:53 {\n bind 127.0.0.1\n dnsmus %s {\n control %s\n %s\n }\n errors\n}", to, l.socket(), options))
}

// Four set-ups that are broken as people's are. Who is to blame, since when, until when, and what
// to do, is in what status and why say, by name.
func TestToBlame(t *testing.T) {
	l := newLab(t)
	l.fake("127.0.0.12", answerIn("public.example.", "192.0.2.7"))

	t.Run("a VPN whose resolver is dead, though its link is up", func(t *testing.T) {
		client, server := addLab(t), addLab(t)
		client.connect(server, 0)
		var dead atomic.Bool
		knows := answerIn("corp.example.", "10.1.0.10")
		server.fake("10.0.0.53", func(w dns.ResponseWriter, r *dns.Msg) {
			if !dead.Load() {
				knows(w, r)
			}
		})
		client.fake("127.0.0.12", answerIn("public.example.", "192.0.2.7"))
		client.told("10.0.0.53%tun0 127.0.0.12", "patience 1s").awaits("@127.0.0.1 wiki.corp.example")
		client.expect("@127.0.0.1 www.public.example", "NOERROR 192.0.2.7")
		if status, out := client.says("status"); status != 0 || !strings.Contains(out, "both upstreams are up") {
			t.Errorf("status %d", status)
		}
		dead.Store(true)
		client.expect("@127.0.0.1 git.corp.example", "NXDOMAIN")
		status, out := client.says("status")
		client.mustSay(out, "1 of 2 upstreams are up", "! [10.0.0.53%tun0]:53 down ", "Silent since ", "tun0 is up and leads there", "Names of corp.example. cannot be answered while [10.0.0.53%tun0]:53 is down")
		if short, line := client.says("status", "--short"); status != 1 || short != 1 || !strings.HasPrefix(line, "1/2 up, [10.0.0.53%tun0]:53 down ") {
			t.Errorf("statuses %d, %d", status, short)
		}
		status, out = client.says("why", "git.corp.example")
		client.mustSay(out, "git.corp.example. A: NXDOMAIN", "Why: [10.0.0.53%tun0]:53 alone has answered in corp.example.", "it is down: silent since ", "Until: Clients may keep it for 5 s", "Do: ")
		if status != 2 {
			t.Errorf("status %d", status)
		}
		_, out = client.says("zones", "corp.example")
		client.mustSay(out, "! corp.example. [10.0.0.53%tun0]:53 (down)")
	})

	t.Run("two upstreams with different answers in a zone", func(t *testing.T) {
		l := addLab(t)
		l.fake("127.0.0.11", answerIn("example.org.", "10.1.7.7"))
		l.fake("127.0.0.12", answerIn("example.org.", "192.0.2.7"))
		l.told("127.0.0.11 127.0.0.12", "learn").awaits("@127.0.0.1 a.example.org")
		var status int
		var out string
		l.eventually(func() error {
			l.ask("@127.0.0.1 intra.example.org")
			l.ask("@127.0.0.1 forget.example.org")
			if _, out = l.says("zones", "example.org"); !strings.Contains(out, "differ") {
				return fmt.Errorf("it does not say that answers differ:\n%s", out)
			}
			return nil
		})
		l.mustSay(out, "! example.org.", "127.0.0.11:53", "127.0.0.12:53", "differ")
		status, out = l.says("why", "intra.example.org")
		l.mustSay(out, "intra.example.org.: nothing is remembered.", "In its zone example.org. 127.0.0.1", "have answered. Their answers differ,", "The option prefer chooses one")
		if status != 4 {
			t.Errorf("status %d", status)
		}
		_, out = l.says("status")
		l.mustSay(out, "! Answers in example.org. differ: those of 127.0.0.1", "the option prefer chooses")
		_, out = l.says("explain", "intra.example.org")
		l.mustSay(out, "Others were not asked, as it is known who knows the zone; --alone asks all.", "Asked by the server on 127.0.0.1:53")
		_, out = l.says("explain", "--alone", "intra.example.org", "-conf", "Corefile")
		l.mustSay(out, "Answers differ: 127.0.0.11:53 (10.1.7.7, private), 127.0.0.12:53 (192.0.2.7).", "'prefer private' ", "Asked by this command itself: 127.0.0.11:53 and 127.0.0.12:53, as in Corefile.")
	})

	t.Run("an upstream that filters", func(t *testing.T) {
		l := addLab(t)
		l.fake("127.0.0.11", func(w dns.ResponseWriter, r *dns.Msg) {
			m := new(dns.Msg).SetRcode(r, dns.RcodeNameError)
			m.RecursionAvailable = true
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeBlocked, ExtraText: "list of ads\x1b[2J"}}
			w.WriteMsg(m)
		})
		l.fake("127.0.0.12", answerIn("nothing.example.", "192.0.2.7"))
		l.told("127.0.0.11 127.0.0.12", "filtered")
		l.becomes("@127.0.0.1 ads.example", "NXDOMAIN")
		status, out := l.says("why", "ads.example")
		l.mustSay(out, "ads.example. A: NXDOMAIN", "Why: 127.0.0.11:53 filters the name", "list of ads?[2J", "Until: ", "Do: ")
		if status != 2 {
			t.Errorf("status %d", status)
		}
	})

	t.Run("answers that are cut off, and TCP is dropped", func(t *testing.T) {
		l := addLab(t)
		l.fake("127.0.0.11", func(w dns.ResponseWriter, r *dns.Msg) {
			if _, tcp := w.RemoteAddr().(*net.TCPAddr); tcp {
				return
			}
			m := new(dns.Msg).SetReply(r)
			m.RecursionAvailable, m.Truncated = true, true
			w.WriteMsg(m)
		})
		l.told("127.0.0.11", "patience 1s\n timeout 3s")
		l.becomes("@127.0.0.1 +tcp big.example TXT", "SERVFAIL")
		status, out := l.says("why", "big.example", "TXT")
		l.mustSay(out, "big.example. TXT: ", "127.0.0.11:53", "too long for UDP", "TCP", "Do: Let TCP to port 53 of that upstream pass.")
		if status != 3 {
			t.Errorf("status %d", status)
		}
		_, out = l.says("status")
		l.mustSay(out, "TCP brings nothing, so long answers are cut off", "most queries to it fail")
	})
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

// watch is the command tail.
func (l *lab) watch() *exec.Cmd {
	cmd := l.command(context.Background(), testkit.Binary(l.T), "tail")
	cmd.Env = append(os.Environ(), "DNSMUS_CONTROL="+l.socket())
	return cmd
}

// onTerminal runs a command that asks the server of the lab on a terminal of so many columns, and
// returns all that is written to that.
func (l *lab) onTerminal(columns uint16, env []string, args ...string) string {
	l.Helper()
	front, back := openTerminal(l.T)
	resize(l.T, front, columns)
	cmd := l.command(l.Context(), append([]string{testkit.Binary(l.T)}, args...)...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "NO_COLOR=") }), "TERM=xterm", "DNSMUS_CONTROL="+l.socket())
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = back, back
	l.inside(func() {
		if err := cmd.Start(); err != nil {
			l.Fatal(err)
		}
	})
	back.Close()
	out, _ := io.ReadAll(front) // the error says that the other end is closed
	cmd.Wait()
	return string(out)
}

// What is written fits the terminal, and colours mean nothing by themselves.
func TestTerminals(t *testing.T) {
	l := newLab(t)
	l.fake("127.0.0.11", answerIn("corp.example.", "10.1.0.10"))
	l.told("127.0.0.11 127.0.0.99 tls://127.0.0.98%dns.company.example", "timeout 2s").awaits("@127.0.0.1 wiki.corp.example")
	l.ask("@127.0.0.1 nobody.example")
	if _, out := l.says("status", "--short"); !strings.Contains(out, "127.0.0.99:53 failing") {
		t.Errorf("a closed port is %s", out)
	}
	for _, args := range [][]string{{"status"}, {"status", "127.0.0.99"}, {"why", "nobody.example"}, {"zones"}, {"explain", "nobody.example"}} {
		for _, columns := range []uint16{60, 80, 120} {
			plain := l.onTerminal(columns, []string{"NO_COLOR=1", "LANG=C"}, args...)
			painted := l.onTerminal(columns, nil, args...)
			for line := range strings.Lines(testkit.Shown(t, plain, 1000)) {
				if line = strings.TrimSuffix(line, "\n"); len(line) > int(columns) {
					t.Errorf("%v: %d columns: %q", args, len(line), line)
				}
			}
			if strings.Contains(plain, "\x1b[3") || strings.Contains(plain, "\x1b[1m") {
				t.Errorf("%v: colours, though NO_COLOR is set: %q", args, plain)
			}
			if !strings.Contains(painted, "\x1b[1m") {
				t.Errorf("%v: no colours: %q", args, painted)
			}
			testkit.Shown(t, painted, 1000)
		}
	}
}

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

// told starts a dnsmus with a control socket.
func (l *lab) told(to, options string) *process {
	l.Helper()
	return l.coredns(fmt.Sprintf(".:53 {\n bind 127.0.0.1\n dnsmus %s {\n control %s\n %s\n }\n errors\n}", to, l.control(), options))
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

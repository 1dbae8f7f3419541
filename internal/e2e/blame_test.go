//go:build linux

package e2e

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
)

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
		client.told("10.0.0.53%tun0 127.0.0.12", "patience 4s\n timeout 12s").awaits("@127.0.0.1 wiki.corp.example")
		client.expect("@127.0.0.1 www.public.example", "NOERROR 192.0.2.7")
		if status, out := client.says("status"); status != 0 || !strings.Contains(out, "both upstreams are up") {
			t.Errorf("status %d", status)
		}
		dead.Store(true)
		n := 0
		client.eventually(func() error { // a reply that is on its way, still, is a sign of life
			n++
			client.ask(fmt.Sprintf("@127.0.0.1 dead%d.corp.example", n))
			if _, line := client.says("status", "--short"); !strings.Contains(line, " down ") {
				return fmt.Errorf("it is not down: %s", line)
			}
			return nil
		})
		client.expect("@127.0.0.1 git.corp.example", "NXDOMAIN")
		status, out := client.says("status")
		client.mustSay(out, "1 of 2 upstreams is up", "! [10.0.0.53%tun0]:53 down ", "Silent since ", "tun0 is up and leads there", "Names of corp.example. cannot be answered while [10.0.0.53%tun0]:53 is down")
		if short, line := client.says("status", "--short"); status != 1 || short != 1 || !strings.HasPrefix(line, "1/2 up, [10.0.0.53%tun0]:53 down ") {
			t.Errorf("statuses %d, %d", status, short)
		}
		status, out = client.says("why", "git.corp.example")
		client.mustSay(out, "git.corp.example. A: NXDOMAIN", "Why: [10.0.0.53%tun0]:53 alone has answered in corp.example.", "it is down: silent since ", "Until: Clients m", " keep it for 5 s, until ", "Do: ")
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
		l.eventually(func() error { // one who knows the zone and takes longer than usual is not asked alone
			if _, out = l.says("explain", "intra.example.org"); !strings.Contains(out, "Others were not asked, as it is known who knows the zone; --alone asks all.") {
				return fmt.Errorf("it does not say that others were not asked:\n%s", out)
			}
			return nil
		})
		l.mustSay(out, "Asked by the server on 127.0.0.1:53")
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
		_, out = l.says("status")
		l.mustSay(out, "both upstreams are up", "It filters names: ", "of its replies in the last hour say so.")
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
		l.told("127.0.0.11", "patience 4s\n timeout 12s")
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

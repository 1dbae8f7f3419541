//go:build linux

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// packagedCorefile is the packages', with its list of upstreams in the lab's directory.
func (l *lab) packagedCorefile() string {
	l.Helper()
	return l.corefileOf("deploy/package/Corefile")
}

// corefileOf is a file of the project, or the first Corefile in it that has a cache, with the
// list of upstreams, and the control socket, in the lab's directory.
func (l *lab) corefileOf(file string) string {
	l.Helper()
	b, err := os.ReadFile(filepath.Join(testkit.Root(l.T), file))
	if err != nil {
		l.Fatal(err)
	}
	text := string(b)
	for _, rest := range strings.Split(text, "~~~ corefile\n")[1:] {
		if block, _, _ := strings.Cut(rest, "~~~"); strings.Contains(block, " cache") {
			text = block
			break
		}
	}
	list := filepath.Join(l.dir, "resolv.conf.dnsmus")
	text = strings.ReplaceAll(text, "/etc/resolv.conf.dnsmus", list)
	text = regexp.MustCompile(`(?m)^( *control)$`).ReplaceAllString(text, "$1 "+filepath.Join(l.dir, "control"))
	return regexp.MustCompile(`(?m)^( *dnsmus)$`).ReplaceAllString(text, "$1 "+list)
}

// R7: who asks for a name before its VPN is up gets it soon after, also from a cache in front,
// though the resolvers that deny it say that this holds for half an hour.
func TestR7DeniedBeforeItsVPN(t *testing.T) {
	const packaged, alone, dnsmasq, unbound = "@127.0.0.123", "@127.0.0.1 -p 5553", "@127.0.0.31", "@127.0.0.32"
	l := newLab(t, "dnsmasq", "unbound")
	l.public()
	l.resolvConf("127.0.0.11")
	l.coredns(l.packagedCorefile()).awaits(packaged + " . SOA")
	l.start(testkit.Binary(t), "5553", filepath.Join(l.dir, "resolv.conf.dnsmus")).awaits(alone + " . SOA")
	l.dnsmasq("127.0.0.31", "53", "--server=127.0.0.1#5553").awaits(dnsmasq + " . SOA")
	l.unbound("127.0.0.32", "forward-zone:", "name: .", "forward-addr: 127.0.0.1@5553").awaits(unbound + " . SOA")

	fronts := []string{packaged, alone, dnsmasq, unbound}
	for _, front := range fronts {
		for _, query := range []string{"wiki.corp.example", "wiki.corp.example AAAA", "none.wiki.corp.example"} {
			l.expect(front+" "+query, "NXDOMAIN")
		}
	}
	company := l.dnsmasq("127.0.0.13", "53", "--host-record=wiki.corp.example,10.3.0.30,fd00::30", "--address=/none.wiki.corp.example/10.3.0.31")
	company.awaits("@127.0.0.13 wiki.corp.example")
	l.resolvConf("127.0.0.11", "127.0.0.13")
	for _, front := range fronts {
		l.becomes(front+" wiki.corp.example", "NOERROR 10.3.0.30")
		l.becomes(front+" wiki.corp.example AAAA", "NOERROR fd00::30")
		l.becomes(front+" none.wiki.corp.example", "NOERROR 10.3.0.31")
		if r := l.ask(front + " nobody.corp.example"); r.status != "NXDOMAIN" || r.ttl() > 5 {
			l.Errorf("%s: what nobody knows:\n%s", front, r.text)
		}
	}
	company.Kill()
	l.eventually(func() error { // once what dnsmasq answered itself is over
		if r := l.ask(alone + " wiki.corp.example"); r.status != "NXDOMAIN" || r.ttl() > 5 {
			return fmt.Errorf("its VPN is gone: %s", r.text)
		}
		return nil
	})
}

// says is what a resolver replies to a question.
type says func(query *dns.Msg) *dns.Msg

func saysAddress(address string) says {
	return func(q *dns.Msg) *dns.Msg {
		r := new(dns.Msg).SetReply(q)
		r.RecursionAvailable = true
		r.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.ParseIP(address)}}
		return r
	}
}

// saysDenied is a denial with that rcode, for five seconds.
func saysDenied(rcode int) says {
	return func(q *dns.Msg) *dns.Msg {
		r := new(dns.Msg).SetRcode(q, rcode)
		r.RecursionAvailable = true
		r.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 5}, Ns: ".", Mbox: ".", Minttl: 5}}
		return r
	}
}

func (s says) after(d time.Duration) says {
	return func(q *dns.Msg) *dns.Msg { time.Sleep(d); return s(q) }
}

func silence(*dns.Msg) *dns.Msg { return nil }

// TestSixClientsAtOnce asks for names whose cache entries have expired, six clients at a time:
// none gets an expired denial or failure while an upstream answers, and a name whose resolver
// is silent stays.
func TestSixClientsAtOnce(t *testing.T) {
	nxdomain, nodata, servfail := saysDenied(dns.RcodeNameError), saysDenied(dns.RcodeSuccess), says(func(q *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure) })
	old, now := saysAddress("10.0.0.1"), saysAddress("10.0.0.2")
	const gets, keeps = "10.0.0.2", "10.0.0.1"
	names := map[string]struct {
		company, public, changed says // of company, afterwards
		want                     string
	}{
		"denied":         {nxdomain, nxdomain, now, gets},
		"denied-slow":    {nxdomain, nxdomain, now.after(1100 * time.Millisecond), gets},
		"no-record":      {nodata, nxdomain, now, gets},
		"failed":         {servfail, servfail, now, gets},
		"failed-slow":    {servfail, servfail, now.after(1100 * time.Millisecond), gets},
		"all-silent":     {silence, silence, now, gets},
		"moved":          {old, nxdomain, now, gets},
		"away":           {old, nxdomain, silence, keeps},
		"away-and-fails": {old, nxdomain, servfail, keeps},
	}
	for _, file := range []string{"deploy/package/Corefile", "docs/behaviour.md", "docs/learning.md"} {
		t.Run(file, func(t *testing.T) {
			l := newLab(t)
			var changed atomic.Bool
			label := func(q *dns.Msg) string {
				return strings.ToLower(q.Question[0].Name[:strings.IndexByte(q.Question[0].Name, '.')])
			}
			serve := func(addr string, of func(label string) says) {
				l.fake(addr, func(w dns.ResponseWriter, q *dns.Msg) {
					f := of(label(q))
					if f == nil {
						f = now
					}
					if r := f(q); r != nil {
						w.WriteMsg(r)
					}
				})
			}
			serve("127.0.0.13", func(label string) says {
				if changed.Load() {
					return names[label].changed
				}
				return names[label].company
			})
			serve("127.0.0.11", func(label string) says { return names[label].public })
			l.resolvConf("127.0.0.11", "127.0.0.13")
			l.coredns(l.corefileOf(file)).awaits("@127.0.0.123 ready.example")

			asks := func(label string) string {
				conn, err := l.dial(t.Context(), "udp", "127.0.0.123:53")
				if err != nil {
					return err.Error()
				}
				defer conn.Close()
				client := dns.Client{Timeout: 20 * time.Second}
				r, _, err := client.ExchangeWithConn(new(dns.Msg).SetQuestion(label+".corp.example.", dns.TypeA), &dns.Conn{Conn: conn})
				if err != nil {
					return err.Error()
				}
				if len(r.Answer) == 0 {
					return dns.RcodeToString[r.Rcode]
				}
				return r.Answer[0].(*dns.A).A.String()
			}
			var all sync.WaitGroup
			for label := range names {
				all.Go(func() { asks(label) })
			}
			all.Wait()
			time.Sleep(6 * time.Second) // no entry lives longer than five
			changed.Store(true)
			for label, is := range names {
				got := make([]string, 6)
				for i := range got {
					all.Go(func() { got[i] = asks(label) })
				}
				all.Wait()
				for _, g := range got {
					if g != is.want {
						t.Errorf("%s: want %s for all, got %v", label, is.want, got)
						break
					}
				}
			}
		})
	}
}

//go:build linux

package e2e

import (
	"crypto/x509"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// TestEncrypted has real servers for all transports, behind a counter of
// connections and beside a real resolver that denies all their names.
func TestEncrypted(t *testing.T) {
	testkit.Need(t, false, "dnsdist", "dnsmasq", "unbound")
	l := newLoopback(t)
	cert, key, _ := l.authority("ca").issue("server", x509.Certificate{})
	ports := make(map[string]string)
	for _, name := range []string{
		"dnsmasq", "unbound", "unbound tls", "unbound https", "dnsdist", "dnsdist tls", "dnsdist https",
		"CoreDNS tls", "CoreDNS https", "CoreDNS quic",
	} {
		ports[name] = l.freePort()
	}
	denies := "127.0.0.1:" + ports["dnsmasq"]
	l.dnsmasq("127.0.0.1", ports["dnsmasq"], "--address=/#/", "--address=/ready.example/10.0.0.1").awaits("@127.0.0.1 -p " + ports["dnsmasq"] + " ready.example")
	l.secretUnbound("127.0.0.1", ports["unbound"], ports["unbound tls"], ports["unbound https"], cert, key).
		awaits("@127.0.0.1 -p " + ports["unbound"] + " secret.example")
	l.start("dnsdist", "--supervised", "--disable-syslog", "-C", l.write("dnsdist.conf", fmt.Sprintf(`
		setSecurityPollSuffix("")
		setLocal("127.0.0.1:%s")
		addTLSLocal("127.0.0.1:%s", "%s", "%s")
		addDOHLocal("127.0.0.1:%s", "%[3]s", "%[4]s", "/dns-query")
		newServer{address="127.0.0.1:%[6]s", checkName="secret.example."}
		`, ports["dnsdist"], ports["dnsdist tls"], cert, key, ports["dnsdist https"], ports["unbound"]))).
		awaits("@127.0.0.1 -p " + ports["dnsdist"] + " secret.example")
	l.secretCoreDNS("secret", "127.0.0.1", cert, key,
		"tls://.:"+ports["CoreDNS tls"], "https://.:"+ports["CoreDNS https"], "quic://.:"+ports["CoreDNS quic"])

	for _, peer := range []string{"unbound tls", "unbound https", "dnsdist tls", "dnsdist https", "CoreDNS tls", "CoreDNS https", "CoreDNS quic"} {
		t.Run(peer, func(t *testing.T) {
			l := loopback{l.in(t)}
			l.dir = t.TempDir()
			ca := filepath.Join(filepath.Dir(cert), "ca.pem")
			_, transport, _ := strings.Cut(peer, " ")
			network := "tcp"
			if transport == "quic" {
				network = "udp"
			}
			way := l.counterTo(network, ports[peer])
			_, wayPort, _ := net.SplitHostPort(way.addr)
			upstream := fmt.Sprintf("%s://127.0.0.1%%dns.example:%s", transport, wayPort)
			port, _, p := l.server(fmt.Sprintf("dnsmus %s %s {\n tls %s\n }", upstream, denies, ca))
			at := "@127.0.0.1 -p " + port + " "
			p.awaits(at + "ready.secret.example")
			l.expect(at+"one.secret.example", "NOERROR 10.9.9.9")
			l.expect(at+"+tcp two.secret.example", "NOERROR 10.9.9.9")
			l.expect(at+"nobody.example", "NXDOMAIN")
			if r := l.dig(at + "nobody2.example"); slices.ContainsFunc(r.options, func(s string) bool { return strings.Contains(s, "EDE") }) {
				t.Errorf("a denial by all is inconclusive:\n%s", r.text)
			}

			var names []string
			for n := range 200 {
				names = append(names, fmt.Sprintf("n%d.secret.example.", n))
			}
			l.askAll(port, names, "10.9.9.9") // at once
			for n := range 100 {              // and one by one
				l.askAll(port, []string{fmt.Sprintf("m%d.secret.example.", n)}, "10.9.9.9")
			}
			// Up to four are used at a time; others take the place of any that a
			// busy machine lets stall.
			if n := way.count(); n < 1 || n > 30 {
				t.Errorf("%d connections for 300 queries", n)
			} else {
				t.Logf("%d connections for 300 queries", n)
			}

			// CoreDNS cuts replies over QUIC at the size that is for UDP.
			m := new(dns.Msg).SetQuestion("big.example.", dns.TypeTXT).SetEdns0(dns.MaxMsgSize, false)
			whole := dns.Client{Net: "tcp", Timeout: patience}
			if r, _, err := whole.Exchange(m, "127.0.0.1:"+port); err != nil || len(r.Answer) != bigRecords || r.Len() < 55000 {
				t.Errorf("want %d records: %v\n%.1000s", bigRecords, err, r)
			}
			if r := l.dig(at + "+notcp +ignore big.example TXT"); !slices.Contains(r.flags, "tc") {
				t.Errorf("not truncated over UDP\n%.1000s", r.text)
			}

			// The file of the authorities counts.
			for args, want := range map[string]string{
				"--ca " + ca + " @" + upstream:                                          "* " + upstream + "  TIME  10.9.9.9  first good answer\n",
				"--ca " + ca + " @" + "127.0.0.1:" + ports["dnsmasq"] + " @" + upstream: "* " + upstream + "  TIME  10.9.9.9  first good answer\n",
				"@" + upstream: "certificate signed by unknown authority",
			} {
				status, out, problems := l.explain("x.secret.example " + args)
				out = blanks.ReplaceAllString(someTime.ReplaceAllString(out, "TIME"), "$1  ")
				if good := strings.HasPrefix(args, "--ca"); !strings.Contains(out, want) || (status == 0) != good {
					t.Errorf("explain %s: status %d, want %q\n%s%s", args, status, want, out, problems)
				}
			}
		})
	}
}

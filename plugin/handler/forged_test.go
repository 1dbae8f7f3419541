package handler

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// besieged is a resolver over UDP whose replies all have wrong ids.
func besieged(t *testing.T) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, dns.MaxMsgSize)
		for {
			n, from, err := conn.ReadFrom(buf)
			var q dns.Msg
			if err != nil || q.Unpack(buf[:n]) != nil {
				return
			}
			m := new(dns.Msg).SetRcode(&q, dns.RcodeNameError)
			for range 100 {
				m.Id++
				if b, err := m.Pack(); err == nil {
					conn.WriteTo(b, from)
				}
			}
		}
	}()
	return netip.MustParseAddrPort(conn.LocalAddr().String())
}

// R9: where replies of one upstream may be forged, a denial by all others is not given, over
// whatever transport the client asks, and clients with EDNS are told why; a good answer is.
func TestR9Forged(t *testing.T) {
	values := option.Values{Rules: race.Rules{Timeout: testkit.Patience}, Patience: testkit.Patience}
	for what, denial := range map[string]func(*dns.Msg){"NXDOMAIN": nxdomain, "NODATA": soa} {
		forged := besieged(t)
		h := started(Config{Upstreams: plain(resolver(t, denies(denial)), forged), Values: values})
		addr := serveHandler(t, h)
		for _, network := range []string{"udp", "tcp"} {
			m := question("wiki.corp.example.", dns.TypeA)
			if r := mustExchange(t, network, addr, m); r.Rcode != dns.RcodeServerFailure || len(r.Ns) > 0 || r.IsEdns0() != nil {
				t.Errorf("%s, %s: got\n%v", what, network, r)
			}
			for _, dnssec := range []bool{false, true} {
				m = question("wiki.corp.example.", dns.TypeA).SetEdns0(1232, dnssec)
				r := mustExchange(t, network, addr, m)
				opt := r.IsEdns0()
				if r.Rcode != dns.RcodeServerFailure || opt == nil || len(opt.Option) != 1 {
					t.Errorf("%s, %s, DO %v: got\n%v", what, network, dnssec, r)
					continue
				}
				if ede, ok := opt.Option[0].(*dns.EDNS0_EDE); !ok || ede.InfoCode != dns.ExtendedErrorCodeOther || !strings.Contains(ede.ExtraText, forged.String()) || !strings.Contains(ede.ExtraText, "forged") {
					t.Errorf("%s, %s: the reason is %v", what, network, opt.Option[0])
				}
			}
		}
		replace(h.pool, plain(resolver(t, denies(denial)), besieged(t), resolver(t, func(a asked) { a.reply(0, good) })))
		if r := mustExchange(t, "udp", addr, question("wiki.corp.example.", dns.TypeA)); len(r.Answer) != 1 {
			t.Errorf("%s, and a good answer: got\n%v", what, r)
		}
	}
}

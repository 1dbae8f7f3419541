package handler

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/pkg/nonwriter"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// between is a plugin before this one, with a writer of its own.
type between struct {
	plugin.Handler
	most *atomic.Int64 // records of a message that it was given
}

func (b between) ServeDNS(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	nw := nonwriter.New(w)
	rcode, err := b.Handler.ServeDNS(ctx, nw, r)
	if nw.Msg != nil {
		b.most.Store(max(b.most.Load(), int64(len(nw.Msg.Answer)))) // one at a time comes here
		w.WriteMsg(nw.Msg)
	}
	return rcode, err
}

// A reply over UDP is at most 1,232 bytes long, whatever size the client takes and however the
// reply is made: what is forged in somebody's name must not bring them much more. It has TC
// then, and over TCP it is whole.
func TestReplySize(t *testing.T) {
	const records = 3000
	large := func(m *dns.Msg) {
		m.Compress = true
		for i := range records {
			m.Answer = append(m.Answer, rr(fmt.Sprintf("%s 60 IN A 192.0.%d.%d", m.Question[0].Name, i/256, i%256)))
		}
	}
	middling := func(m *dns.Msg) {
		m.Compress = true
		for i := range 100 {
			m.Answer = append(m.Answer, rr(fmt.Sprintf("%s 60 IN A 192.0.2.%d", m.Question[0].Name, i)))
		}
	}
	up := resolver(t, func(a asked) {
		switch {
		case a.name() == "middling.example.": // whole over UDP, against what it is asked
			a.reply(0, middling)
		case a.network == "udp" && a.msg.IsTsig() == nil:
			a.reply(0, func(m *dns.Msg) { m.Truncated = true })
		case a.network == "udp":
			a.reply(0, middling)
		default:
			a.reply(0, large)
		}
	})
	asIs := func(*dns.Msg) {}
	queries := map[string]func(*dns.Msg){
		"large":    asIs,
		"middling": asIs,
		"unpacked": func(m *dns.Msg) { m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: 65001}} },
		"DO":       func(m *dns.Msg) { m.IsEdns0().SetDo() },
		"signed":   func(m *dns.Msg) { m.SetTsig("key.example.", dns.HmacSHA256, 300, time.Now().Unix()) },
	}
	var most atomic.Int64
	cached := func(c *Config) { c.Cache = 100 }
	servers := map[string]string{
		"alone": serve(t, []netip.AddrPort{up}, nil),
		"cache": serve(t, []netip.AddrPort{up}, nil, cached),
	}
	h := started(Config{Upstreams: plain(up), Values: option.Values{Rules: patientRules, Patience: testkit.Patience, NegativeTTL: 5 * time.Second}})
	servers["behind another plugin"] = run(t, h, func(plugin.Handler) plugin.Handler { return between{h, &most} })
	for where, addr := range servers {
		for what, edit := range queries {
			for _, size := range []uint16{0, 100, 512, 1232, 1400, 4096, 65535} {
				for _, again := range []string{"", ", again"} {
					t.Run(fmt.Sprintf("%s, %s, %d%s", where, what, size, again), func(t *testing.T) {
						q := question(what+".example.", dns.TypeA)
						if size > 0 || what == "unpacked" || what == "DO" {
							q.SetEdns0(size, false)
						}
						edit(q)
						raw, r := rawExchange(t, "udp", addr, q)
						if len(raw) > min(upstream.MaxUDPSize, max(dns.MinMsgSize, int(size))) || !r.Truncated {
							t.Errorf("over UDP: %d bytes, TC %v", len(raw), r.Truncated)
						}
						_, whole := rawExchange(t, "tcp", addr, q)
						if n := len(whole.Answer); whole.Truncated || n < 100 || what == "large" && n != records {
							t.Errorf("over TCP: %d records, TC %v", n, whole.Truncated)
						}
					})
				}
			}
		}
	}
	if most.Load() != records {
		t.Error("a plugin before this one, which may keep it, gets no whole reply")
	}
}

// rawExchange asks, as one that cannot check signatures, and returns the reply, also as it came.
func rawExchange(t *testing.T, network, addr string, q *dns.Msg) ([]byte, *dns.Msg) {
	t.Helper()
	msg, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(testkit.Patience))
	framed := &dns.Conn{Conn: conn, UDPSize: dns.MaxMsgSize}
	if _, err := framed.Write(msg); err != nil {
		t.Fatal(err)
	}
	raw, err := framed.ReadMsgHeader(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := new(dns.Msg)
	if err := r.Unpack(raw); err != nil {
		t.Fatal(err)
	}
	return raw, r
}

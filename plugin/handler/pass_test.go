package handler

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/coredns/coredns/plugin/test"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// wireWriter is a client's end that keeps the bytes.
type wireWriter struct {
	test.ResponseWriter
	got []byte
}

func (w *wireWriter) Write(b []byte) (int, error) {
	w.got = append([]byte(nil), b...)
	return len(b), nil
}

func (w *wireWriter) WriteMsg(m *dns.Msg) error {
	b, err := m.Pack()
	w.got = b
	return err
}

// record is text as a record.
func record(t *testing.T, text string) dns.RR {
	t.Helper()
	rr, err := dns.NewRR(text)
	if err != nil {
		t.Fatal(err)
	}
	return rr
}

// The bytes of a reply that are passed on are the same as of the message that is unpacked and
// packed by CoreDNS's library; and whichever cannot be passed on so is not.
func TestBytes(t *testing.T) {
	requests := map[string]func(*dns.Msg){
		"no EDNS":          func(*dns.Msg) {},
		"EDNS":             func(m *dns.Msg) { m.SetEdns0(1232, false) },
		"EDNS, DO":         func(m *dns.Msg) { m.SetEdns0(4096, true) },
		"EDNS, small":      func(m *dns.Msg) { m.SetEdns0(100, false) },
		"no RD, CD":        func(m *dns.Msg) { m.RecursionDesired, m.CheckingDisabled = false, true },
		"other case, EDNS": func(m *dns.Msg) { m.Question[0].Name = "HoSt.eXaMpLe."; m.SetEdns0(512, false) },
		"a cookie": func(m *dns.Msg) {
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0011223344556677"}}
		},
		"more than OPT": func(m *dns.Msg) { m.Extra = []dns.RR{record(t, "x.example. 1 IN A 192.0.2.9")} },
	}
	replies := map[string]func(*dns.Msg){
		"an answer": func(*dns.Msg) {},
		"AA, AD":    func(m *dns.Msg) { m.Authoritative, m.AuthenticatedData = true, true },
		"a chain": func(m *dns.Msg) {
			m.Answer = append([]dns.RR{record(t, "host.example. 5 IN CNAME other.example.")}, m.Answer...)
		},
		"OPT":            func(m *dns.Msg) { m.SetEdns0(4096, false) },
		"OPT, DO":        func(m *dns.Msg) { m.SetEdns0(512, true) },
		"OPT of version": func(m *dns.Msg) { m.SetEdns0(512, true); m.IsEdns0().SetVersion(3) },
		"an option": func(m *dns.Msg) {
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: 4, ExtraText: "forged"}}
		},
		"TC": func(m *dns.Msg) { m.Truncated = true },
		"long": func(m *dns.Msg) {
			for i := range 60 {
				m.Answer = append(m.Answer, record(t, fmt.Sprintf("host.example. 60 IN A 192.0.2.%d", i)))
			}
		},
		"longer": func(m *dns.Msg) {
			for range 6 {
				m.Answer = append(m.Answer, record(t, "host.example. 60 IN TXT "+strings.Repeat("x", 250)))
			}
		},
		"odd type": func(m *dns.Msg) {
			m.Answer = append(m.Answer, record(t, `host.example. 60 IN CAA 0 issue "ca.example"`))
		},
		"NXDOMAIN": func(m *dns.Msg) {
			m.Rcode, m.Answer, m.Ns = dns.RcodeNameError, nil, []dns.RR{record(t, "example. 60 IN SOA . . 1 2 3 4 5")}
		},
		"authority": func(m *dns.Msg) {
			m.Ns = []dns.RR{record(t, "example. 60 IN NS ns.example.")}
			m.Extra = []dns.RR{record(t, "ns.example. 60 IN A 192.0.2.3")}
		},
		"no question": func(m *dns.Msg) { m.Question = nil },
	}
	passed := 0
	for what, ask := range requests {
		for answer, edit := range replies {
			t.Run(what+", "+answer, func(t *testing.T) {
				r := new(dns.Msg).SetQuestion("host.example.", dns.TypeA)
				ask(r)
				limitReply(t.Context(), new(test.ResponseWriter), r)
				reply := new(dns.Msg).SetReply(new(dns.Msg).SetQuestion("host.example.", dns.TypeA))
				reply.RecursionAvailable, reply.Compress = true, true
				reply.Answer = []dns.RR{record(t, "host.example. 60 IN A 192.0.2.1")}
				edit(reply)
				raw, err := reply.Pack()
				if err != nil {
					t.Fatal(err)
				}
				out := &pool.Result{Result: race.Result{Verdict: race.Judge(raw, race.Policy{}), Msg: raw}}
				client := func() *client {
					c, err := newClient(new(test.ResponseWriter), r.Copy(), new(option.Values))
					if err != nil {
						t.Fatal(err)
					}
					return c
				}
				w := new(wireWriter)
				fast := client()
				fast.canPassThrough = canPassThrough(request.NewScrubWriter(fast.request, w), fast.request, false)
				before := string(raw)
				got := fast.passThrough(out)
				if string(raw) != before {
					t.Fatal("the reply, which others share, was changed")
				}
				wants := r.Extra == nil || what != "a cookie" && what != "more than OPT"
				fits := map[string]bool{"an answer": true, "AA, AD": true, "a chain": true, "NXDOMAIN": true, "authority": true}[answer]
				if r.IsEdns0() != nil {
					fits = fits || strings.HasPrefix(answer, "OPT")
				}
				if (got != nil) != (wants && fits) && answer != "long" {
					t.Fatalf("passed on: %v", got != nil)
				}
				if got == nil {
					return
				}
				passed++
				slow := client()
				if err := slow.reply.unpack(raw); err != nil {
					t.Fatal(err)
				}
				slow.write(request.NewScrubWriter(slow.request, w))
				var a, b dns.Msg
				if err := a.Unpack(got); err != nil {
					t.Fatal(err)
				}
				if err := b.Unpack(w.got); err != nil {
					t.Fatal(err)
				}
				if a.Id != r.Id || !reflect.DeepEqual(a.MsgHdr, b.MsgHdr) || a.Question[0] != r.Question[0] || !equalRecords(a.Ns, b.Ns) || !equalRecords(a.Extra, b.Extra) {
					t.Errorf("passed on\n%v\ninstead of\n%v", &a, &b)
				}
				if len(a.Answer) != len(b.Answer) {
					t.Errorf("%d answers instead of %d", len(a.Answer), len(b.Answer))
				}
				size := dns.MinMsgSize
				if opt := r.IsEdns0(); opt != nil {
					size = max(size, int(opt.UDPSize()))
				}
				if len(got) > size {
					t.Errorf("%d bytes for a client that takes %d", len(got), size)
				}
			})
		}
	}
	if passed < 30 {
		t.Errorf("only %d replies were passed on", passed)
	}
}

func equalRecords(a, b []dns.RR) bool {
	text := func(list []dns.RR) (s []string) {
		for _, rr := range list {
			s = append(s, strings.ToLower(rr.String()))
		}
		return s
	}
	return reflect.DeepEqual(text(a), text(b))
}

// Plugins that put a writer of their own around CoreDNS's want the message; so do clients
// on streams.
func TestCanPassThrough(t *testing.T) {
	r := new(dns.Msg).SetQuestion("host.example.", dns.TypeA)
	own := request.NewScrubWriter(r, new(test.ResponseWriter))
	if !canPassThrough(own, r, false) {
		t.Error("CoreDNS's own writer does not take bytes")
	}
	if canPassThrough(own, r, true) {
		t.Error("a client on a stream takes bytes")
	}
	if canPassThrough(&wireWriter{}, r, false) || canPassThrough(struct{ dns.ResponseWriter }{own}, r, false) {
		t.Error("another's writer takes bytes")
	}
}

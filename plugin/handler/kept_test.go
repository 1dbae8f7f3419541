package handler

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dnsmus/dnsmus/plugin/option"
)

// R24: what is kept is given to all who ask the same, with their own id, case and EDNS, over
// whatever they ask; TTLs count down. Nobody is asked again before the end of its life.
func TestR24Clients(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		one := v.resolver("192.0.2.1", 10*time.Millisecond, "wiki.corp.example 10.1.2.3")
		h := v.keeps(t, nil, one)
		defer h.Stop()
		h.gets("wiki.corp.example")
		time.Sleep(100 * time.Second)
		plain := func(*dns.Msg) {}
		for what, edit := range map[string]func(*dns.Msg){
			"plain":      plain,
			"other case": func(m *dns.Msg) { m.Question[0].Name = "WIKI.Corp.Example." },
			"EDNS":       func(m *dns.Msg) { m.SetEdns0(1400, false) },
			"a cookie": func(m *dns.Msg) {
				m.SetEdns0(1232, false)
				m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0011223344556677"}}
			},
			"AD": func(m *dns.Msg) { m.AuthenticatedData = true },
		} {
			q := question("wiki.corp.example.", dns.TypeA)
			edit(q)
			slow := dnstest.NewRecorder(new(test.ResponseWriter)) // another plugin's, which wants the message
			if _, err := h.ServeDNS(t.Context(), slow, q.Copy()); err != nil {
				t.Fatal(err)
			}
			for _, r := range []*dns.Msg{h.ask(q), slow.Msg} {
				opt := r.IsEdns0()
				if r.Id != q.Id || r.Question[0] != q.Question[0] || !r.Response || !r.RecursionDesired || !r.RecursionAvailable || r.Truncated || short(r) != "10.1.2.3" ||
					r.Answer[0].Header().Ttl != 3500 || (opt != nil) != (q.IsEdns0() != nil) || opt != nil && (len(opt.Option) > 0 || opt.UDPSize() != q.IsEdns0().UDPSize()) {
					t.Errorf("%s: got\n%v", what, r)
				}
			}
		}
		if n := one.asked(); n != 1 {
			t.Errorf("the upstream was asked %d times", n)
		}
		for what, edit := range map[string]func(*dns.Msg){
			"DO":           func(m *dns.Msg) { m.SetEdns0(1232, true) },
			"CD":           func(m *dns.Msg) { m.CheckingDisabled = true },
			"no recursion": func(m *dns.Msg) { m.RecursionDesired = false },
			"client subnet": func(m *dns.Msg) {
				m.SetEdns0(1232, false)
				m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: 65001}}
			},
			"a record":       func(m *dns.Msg) { m.Extra = []dns.RR{rr("x.example. 1 IN A 192.0.2.9")} },
			"another type":   func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA },
			"another name":   func(m *dns.Msg) { m.Question[0].Name = "other.corp.example." },
			"the name above": func(m *dns.Msg) { m.Question[0].Name = "corp.example." },
		} {
			before := one.asked()
			q := question("wiki.corp.example.", dns.TypeA)
			edit(q)
			h.ask(q)
			if one.asked() == before {
				t.Errorf("%s: the upstream is not asked", what)
			}
		}
	})
}

// R24: a client on TCP gets the whole of what is kept.
func TestR24TCP(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	up := resolver(t, func(a asked) {
		n.Add(1)
		a.reply(0, func(m *dns.Msg) {
			for i := range 60 {
				m.Answer = append(m.Answer, rr(fmt.Sprintf("%s 60 IN TXT %d", m.Question[0].Name, i)))
			}
		})
	})
	addr := serve(t, []netip.AddrPort{up}, nil, func(c *Config) { c.Cache = 10_000 })
	for range 3 {
		for _, edns := range []bool{false, true} {
			q := question("long.example.", dns.TypeTXT)
			if edns {
				q.SetEdns0(1232, false)
			}
			if r := mustExchange(t, "tcp", addr, q); r.Truncated || len(r.Answer) != 60 || (r.IsEdns0() != nil) != edns {
				t.Errorf("EDNS %v: TC %v, %d records", edns, r.Truncated, len(r.Answer))
			}
		}
	}
	if n.Load() != 1 {
		t.Errorf("the upstream was asked %d times", n.Load())
	}
}

// R24: what is kept is the same as the fresh reply, in all but the id, whatever it holds and
// whoever asks.
func TestR24SameAsFresh(t *testing.T) {
	requests := map[string]func(*dns.Msg){
		"no EDNS":          func(*dns.Msg) {},
		"EDNS":             func(m *dns.Msg) { m.SetEdns0(1232, false) },
		"EDNS, DO":         func(m *dns.Msg) { m.SetEdns0(4096, true) },
		"EDNS, small":      func(m *dns.Msg) { m.SetEdns0(100, false) },
		"CD, AD":           func(m *dns.Msg) { m.AuthenticatedData, m.CheckingDisabled = true, true },
		"other case, EDNS": func(m *dns.Msg) { m.Question[0].Name = strings.ToUpper(m.Question[0].Name); m.SetEdns0(512, false) },
	}
	add := func(texts ...string) func(*dns.Msg) {
		return func(m *dns.Msg) {
			for _, text := range texts {
				m.Answer = append(m.Answer, rr(m.Question[0].Name+" "+text))
			}
		}
	}
	replies := map[string]func(*dns.Msg){
		"an answer": func(*dns.Msg) {},
		"AA, AD":    func(m *dns.Msg) { m.Authoritative, m.AuthenticatedData = true, true },
		"no RA":     func(m *dns.Msg) { m.RecursionAvailable = false },
		"OPT":       func(m *dns.Msg) { m.SetEdns0(4096, false) },
		"an option": func(m *dns.Msg) {
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: 4, ExtraText: "forged"}}
		},
		"a signature": add("60 IN RRSIG A 8 2 60 20300101000000 20200101000000 1 example. c2lnbmF0dXJl"),
		"odd types":   add(`60 IN CAA 0 issue "ca.example"`, "60 IN TYPE65400 \\# 3 010203", "60 IN HTTPS 1 . alpn=h2"),
		"long": func(m *dns.Msg) {
			for i := range 60 {
				add(fmt.Sprintf("60 IN A 192.0.2.%d", i))(m)
			}
		},
		"authority": func(m *dns.Msg) {
			m.Ns, m.Extra = []dns.RR{rr("example. 60 IN NS ns.example.")}, []dns.RR{rr("ns.example. 60 IN A 192.0.2.3")}
		},
		"NXDOMAIN": func(m *dns.Msg) {
			m.Rcode, m.Answer, m.Ns = dns.RcodeNameError, nil, []dns.RR{rr("example. 60 IN SOA . . 1 2 3 4 5")}
		},
		"NODATA":   func(m *dns.Msg) { m.Answer, m.Ns = nil, []dns.RR{rr("example. 60 IN SOA . . 1 2 3 4 5")} },
		"SERVFAIL": func(m *dns.Msg) { m.Rcode, m.Answer = dns.RcodeServerFailure, nil },
		"REFUSED":  func(m *dns.Msg) { m.Rcode, m.Answer = dns.RcodeRefused, nil },
		"a bare error": func(m *dns.Msg) {
			m.Rcode, m.Answer, m.Question = dns.RcodeServerFailure, nil, nil
		},
	}
	for _, compressed := range []bool{false, true} {
		for answer, edit := range replies {
			inVirtualTime(t, func(t *testing.T, v *virtual) {
				one := v.resolver("192.0.2.1", time.Millisecond)
				one.set(func() {
					one.says = func(q *dns.Msg) *dns.Msg {
						m := new(dns.Msg).SetReply(q)
						m.RecursionAvailable, m.Compress = true, compressed
						m.Answer = []dns.RR{rr(q.Question[0].Name + " 60 IN A 192.0.2.1")}
						edit(m)
						return m
					}
				})
				h := v.keeps(t, nil, one)
				defer h.Stop()
				for what, ask := range requests {
					name := strings.ReplaceAll(strings.ReplaceAll(what, " ", ""), ",", "") + ".example."
					q := question(name, dns.TypeA)
					ask(q)
					fresh := h.ask(q.Copy())
					before := one.asked()
					kept := h.ask(q.Copy())
					if one.asked() != before {
						t.Errorf("%s, %s: it is not kept", what, answer)
					}
					fresh.Compress, kept.Compress = false, false
					if fresh.MsgHdr != kept.MsgHdr || len(fresh.Answer) != len(kept.Answer) || fresh.Question[0] != kept.Question[0] ||
						!fresh.Truncated && (!equalRecords(fresh.Answer, kept.Answer) || !equalRecords(fresh.Ns, kept.Ns) || !equalRecords(fresh.Extra, kept.Extra)) {
						t.Errorf("%s, %s, compressed %v: kept\n%v\ninstead of\n%v", what, answer, compressed, kept, fresh)
					}
				}
			})
		}
	}
}

// R24: a long reply that is kept is as a fresh one to a client that takes only short ones.
func TestR24Size(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		one := v.resolver("192.0.2.1", time.Millisecond)
		one.set(func() { one.long = 60 })
		h := v.keeps(t, nil, one)
		defer h.Stop()
		for _, size := range []uint16{0, 512, 1232, 4096} {
			fresh := v.keeps(t, nil, one)
			var got []*dns.Msg
			for _, k := range []keeping{fresh, h, h} {
				q := question("long.example.", dns.TypeTXT)
				if size > 0 {
					q.SetEdns0(size, false)
				}
				got = append(got, k.ask(q))
			}
			fresh.Stop()
			for _, r := range got[1:] {
				if r.Truncated != got[0].Truncated || len(r.Answer) != len(got[0].Answer) {
					t.Errorf("size %d: TC %v and %d records instead of %v and %d", size, r.Truncated, len(r.Answer), got[0].Truncated, len(got[0].Answer))
				}
			}
		}
		if one.asked() > 5 {
			t.Errorf("the upstream was asked %d times", one.asked())
		}
	})
}

// R24, R7: a denial that is kept is not told to live for longer than a fresh one, a failure is
// held for a second, and clients with EDNS are told who gave no opinion.
func TestR24Denials(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		one, two := v.resolver("192.0.2.1", time.Millisecond, "broken.example SERVFAIL"), v.resolver("192.0.2.2", time.Millisecond, "partly.example SERVFAIL", "broken.example SERVFAIL")
		h := v.keeps(t, nil, one, two)
		defer h.Stop()
		ask := func(name string) (r *dns.Msg, asked bool) {
			before := one.asked()
			q := question(name, dns.TypeA)
			q.SetEdns0(1232, false)
			return h.ask(q), one.asked() != before
		}
		for _, tc := range []struct {
			name  string
			rcode int
			life  time.Duration
			ede   bool
		}{
			{"none.example.", dns.RcodeNameError, time.Minute, false},
			{"partly.example.", dns.RcodeNameError, 5 * time.Second, true},
			{"broken.example.", dns.RcodeServerFailure, time.Second, false},
		} {
			for at := time.Duration(0); at < tc.life; at += tc.life / 4 {
				r, asked := ask(tc.name)
				if asked != (at == 0) || r.Rcode != tc.rcode || (len(r.IsEdns0().Option) > 0) != tc.ede {
					t.Errorf("%s after %v: asked %v,\n%v", tc.name, at, asked, r)
				}
				if left := (tc.life - at) / time.Second; len(r.Ns) > 0 && r.Ns[0].Header().Ttl > uint32(min(5, left+1)) {
					t.Errorf("%s after %v lives %d s", tc.name, at, r.Ns[0].Header().Ttl)
				}
				time.Sleep(tc.life / 4)
			}
			if _, asked := ask(tc.name); !asked {
				t.Errorf("%s lives for longer than %v", tc.name, tc.life)
			}
			time.Sleep(time.Minute)
		}
	})
}

// R24: an answer that is asked for in the last tenth of its life is asked for again, once, and
// nobody waits for that.
func TestR24Renewed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		one := v.resolver("192.0.2.1", 100*time.Millisecond, "wiki.corp.example 10.1.2.3")
		one.set(func() { one.ttl = 100 })
		h := v.keeps(t, nil, one)
		defer h.Stop()
		gets := func(want string, asked int) {
			t.Helper()
			begun := time.Now()
			if got := h.allGet(6, "wiki.corp.example"); got != want {
				t.Errorf("it gets %s, want %s", got, want)
			}
			if took := time.Since(begun); took > 0 && asked > 1 {
				t.Errorf("it took %v", took)
			}
			time.Sleep(time.Second)
			if one.asked() != asked {
				t.Errorf("the upstream was asked %d times, not %d", one.asked(), asked)
			}
		}
		gets("10.1.2.3", 1)
		time.Sleep(80 * time.Second)
		one.know("wiki.corp.example 10.1.2.4")
		gets("10.1.2.3", 1)
		time.Sleep(10 * time.Second)
		gets("10.1.2.3", 2)
		gets("10.1.2.4", 2)
		time.Sleep(80 * time.Second)
		gets("10.1.2.4", 2)
	})
}

// R24: a stale answer lives for 30 s, and says what it is to clients with EDNS (RFC 8767, section
// 4; RFC 8914, section 4.4); so it is for each that asks at once, on UDP and behind another
// plugin. Nobody waits for more than 1.8 s.
func TestR24Stale(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		one, two := v.resolver("192.0.2.1", time.Millisecond, "wiki.corp.example 10.1.2.3"), v.resolver("192.0.2.2", time.Millisecond)
		h := v.keeps(t, nil, one, two)
		defer h.Stop()
		h.gets("wiki.corp.example")
		time.Sleep(time.Hour)
		one.be(true)
		begun := time.Now()
		if got := h.allGet(6, "wiki.corp.example"); got != "10.1.2.3" {
			t.Errorf("at once: %s", got)
		}
		if took := time.Since(begun); took < 1800*time.Millisecond || took > 1810*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		for i := range 4 { // while the race goes on, after it, and when it is down
			for what, edns := range map[string]bool{"EDNS": true, "no EDNS": false} {
				q := question("WIKI.corp.example.", dns.TypeA)
				if edns {
					q.SetEdns0(1232, false)
				}
				slow := dnstest.NewRecorder(new(test.ResponseWriter))
				if _, err := h.ServeDNS(t.Context(), slow, q.Copy()); err != nil {
					t.Fatal(err)
				}
				for _, r := range []*dns.Msg{h.ask(q), slow.Msg} {
					if short(r) != "10.1.2.3" || r.Answer[0].Header().Ttl != 30 || r.Question[0] != q.Question[0] || (r.IsEdns0() != nil) != edns {
						t.Errorf("%s, %d: got\n%v", what, i, r)
					} else if edns && (len(r.IsEdns0().Option) != 1 || r.IsEdns0().Option[0].(*dns.EDNS0_EDE).InfoCode != dns.ExtendedErrorCodeStaleAnswer) {
						t.Errorf("%s, %d: got\n%v", what, i, r)
					}
				}
			}
			time.Sleep(2 * time.Second)
		}
		one.know() // it was deleted meanwhile
		one.be(false)
		time.Sleep(2 * time.Second)
		if got := h.allGet(6, "wiki.corp.example"); got != "NXDOMAIN" {
			t.Errorf("its giver denies it, and clients get %s", got)
		}
		one.be(true)
		time.Sleep(10 * time.Second)
		if got := h.gets("wiki.corp.example"); got != "NXDOMAIN" {
			t.Errorf("its giver denied it, and is away again: %s", got)
		}
	})
}

// R24, R18: while an upstream is away, clients get what it said of one type of a name; then they
// are not told that the name does not exist when they ask for another.
func TestR24OtherType(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		public, inside := v.resolver("192.0.2.53", time.Millisecond), v.resolver("10.1.0.53", 2*time.Millisecond, "wiki.example 10.1.2.4")
		h := v.keeps(t, nil, public, inside)
		defer h.Stop()
		rcode := func(name string) int { return h.ask(question(name, dns.TypeAAAA)).Rcode }
		h.gets("wiki.example")
		h.list(public)
		time.Sleep(time.Second)
		if got := h.gets("wiki.example"); got != "10.1.2.4" {
			t.Errorf("its giver has just left: %s", got)
		}
		if rcode("wiki.example.") != dns.RcodeSuccess || rcode("none.example.") != dns.RcodeNameError {
			t.Error("another type is denied, or all are not")
		}
		time.Sleep(time.Minute)
		if got := h.gets("wiki.example"); got != "NXDOMAIN" || rcode("wiki.example.") != dns.RcodeNameError {
			t.Errorf("its giver is gone: %s", got)
		}
	})
}

// R24: a giver's denial that comes late ends an answer, and a late answer a denial without it.
func TestR24Late(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		one, two := v.resolver("192.0.2.1", time.Millisecond), v.resolver("192.0.2.2", 4500*time.Millisecond, "slow.example 10.1.2.3")
		h := v.keeps(t, nil, one, two)
		defer h.Stop()
		if got := h.gets("slow.example"); got == "10.1.2.3" {
			t.Fatal("it was waited for")
		}
		two.set(func() { two.delay = time.Millisecond })
		time.Sleep(time.Second) // its reply has come, though no change
		if got := h.allGet(6, "slow.example"); got != "10.1.2.3" {
			t.Errorf("a denial without it was kept: %s", got)
		}
	})
}

// R24: without the option nothing is kept.
func TestR24Off(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		one := v.resolver("192.0.2.1", time.Millisecond, "wiki.corp.example 10.1.2.3")
		h := v.keeps(t, func(v *option.Values) { v.Cache = 0 }, one)
		defer h.Stop()
		for range 3 {
			h.gets("wiki.corp.example")
		}
		if one.asked() != 3 {
			t.Errorf("the upstream was asked %d times", one.asked())
		}
	})
}

// R24, R17: where answers are known to differ, no client keeps one for long, with a cache and
// without; the cache itself does.
func TestR24Differ(t *testing.T) {
	for _, cached := range []bool{false, true} {
		inVirtualTime(t, func(t *testing.T, v *virtual) {
			inside := v.resolver("192.0.2.1", time.Millisecond, "git.corp.example 10.1.2.3", "wiki.corp.example 10.1.2.4")
			outside := v.resolver("192.0.2.2", 2*time.Millisecond, "git.corp.example 203.0.113.5", "wiki.corp.example 203.0.113.6")
			h := v.keeps(t, func(v *option.Values) {
				if !cached {
					v.Cache, v.Learn = 0, 10*time.Minute
				}
			}, inside, outside)
			defer h.Stop()
			h.gets("git.corp.example")
			time.Sleep(time.Second) // until the other answer is known
			for range 2 {
				if r := h.ask(question("wiki.corp.example.", dns.TypeA)); len(r.Answer) != 1 || r.Answer[0].Header().Ttl != 30 {
					t.Errorf("cached %v: got\n%v", cached, r)
				}
			}
		})
	}
}

// R24: metrics count what was found, by kind.
func TestR24Metrics(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		one := v.resolver("192.0.2.1", time.Millisecond, "wiki.corp.example 10.1.2.3", "broken.example SERVFAIL")
		h := v.keeps(t, nil, one)
		defer h.Stop()
		before := keptCounts(t)
		for range 3 {
			h.gets("wiki.corp.example")
			h.gets("none.example")
			h.gets("broken.example")
		}
		h.list() // no upstream at all; the answer is stale, the others are forgotten
		h.list(one)
		h.gets("wiki.corp.example")
		one.know("wiki.corp.example SERVFAIL")
		h.list()
		h.list(one)
		h.gets("wiki.corp.example")
		h.gets("wiki.corp.example")
		var got []string
		for name, n := range keptCounts(t) {
			if n != before[name] {
				got = append(got, fmt.Sprintf("%s %v", name, n-before[name]))
			}
		}
		slices.Sort(got)
		want := "answer 2, denial 2, ended 2, failure 2, misses 5, stale 2"
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("got %s, want %s", s, want)
		}
	})
}

// keptCounts are the counters of what is kept.
func keptCounts(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]float64)
	for _, f := range families {
		name, ok := strings.CutPrefix(f.GetName(), "coredns_dnsmus_cache_")
		if !ok {
			continue
		}
		for _, m := range f.Metric {
			word := strings.TrimSuffix(name, "_total")
			for _, l := range m.Label {
				if l.GetName() == "type" {
					word = l.GetValue()
				}
			}
			counts[word] += m.GetCounter().GetValue()
		}
	}
	return counts
}

// R5, R24: an upstream that was silent for long is found to reply again as soon when clients
// get what is kept as when it is asked.
func TestR24Returns(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		v.dropsTCP = true
		public := v.resolver("192.0.2.1", 10*time.Millisecond, "www.example 192.0.2.80")
		vpn := v.resolver("192.0.2.2", 30*time.Millisecond, "wiki.corp.example 10.1.2.3")
		h := v.keeps(t, nil, public, vpn)
		defer h.Stop()
		for range 3 { // so that it is not the first query after a pause that it is silent to
			h.gets("www.example")
			h.gets("none.example")
			time.Sleep(2 * time.Second)
		}
		vpn.be(true)
		time.Sleep(4 * time.Second)
		begun := time.Now()
		if got := h.gets("new.example"); got != "NXDOMAIN" || time.Since(begun) < time.Second {
			t.Fatalf("%s after %v: it does not go down", got, time.Since(begun))
		}
		for range 20 * 60 {
			time.Sleep(time.Second)
			h.gets("www.example")
		}
		vpn.be(false)
		before, asked := vpn.asked(), public.asked()
		time.Sleep(1500 * time.Millisecond)
		if vpn.asked() == before {
			t.Error("it is not probed once a second")
		}
		if h.gets("www.example"); public.asked() > asked {
			t.Error("clients do not get what is kept")
		}
	})
}

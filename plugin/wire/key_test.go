package wire

import (
	"testing"

	"github.com/miekg/dns"
)

// What changes no answer changes no key; what may change it, does.
func TestAppendKey(t *testing.T) {
	pack := func(edits ...func(*dns.Msg)) []byte {
		m := new(dns.Msg).SetQuestion("host.example.", dns.TypeA)
		m.SetEdns0(1232, false)
		for _, edit := range edits {
			edit(m)
		}
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	local := func(data string) func(*dns.Msg) {
		return func(m *dns.Msg) {
			m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_LOCAL{Code: 65001, Data: []byte(data)})
		}
	}
	base := string(AppendKey(nil, pack()))
	for what, edit := range map[string]func(*dns.Msg){
		"id":                 func(m *dns.Msg) { m.Id++ },
		"case":               func(m *dns.Msg) { m.Question[0].Name = "HoSt.EXAMPLE." },
		"size of replies":    func(m *dns.Msg) { m.IsEdns0().SetUDPSize(4096) },
		"bits of replies":    func(m *dns.Msg) { m.Authoritative, m.RecursionAvailable, m.Rcode = true, true, 3 },
		"truncated":          func(m *dns.Msg) { m.Truncated = true },
		"reserved bit":       func(m *dns.Msg) { m.Zero = true },
		"unknown EDNS flags": func(m *dns.Msg) { m.IsEdns0().Hdr.Ttl |= 1 },
	} {
		if string(AppendKey(nil, pack(edit))) != base {
			t.Errorf("%s changes the key", what)
		}
	}
	keys := map[string]string{base: "base"}
	for what, edit := range map[string]func(*dns.Msg){
		"name":            func(m *dns.Msg) { m.Question[0].Name = "host2.example." },
		"type":            func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA },
		"class":           func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS },
		"recursion":       func(m *dns.Msg) { m.RecursionDesired = false },
		"checking":        func(m *dns.Msg) { m.CheckingDisabled = true },
		"authentic data":  func(m *dns.Msg) { m.AuthenticatedData = true },
		"opcode":          func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify },
		"no EDNS":         func(m *dns.Msg) { m.Extra = nil },
		"DO":              func(m *dns.Msg) { m.IsEdns0().SetDo() },
		"an option":       local("x"),
		"another option":  local("y"),
		"a longer option": local("xx"),
		"another record": func(m *dns.Msg) {
			m.Extra = append(m.Extra, &dns.TXT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeTXT, Class: 1}, Txt: []string{"x"}})
		},
		"the same in case": func(m *dns.Msg) {
			m.Question[0].Name = "HOST.example."
			m.Extra = append(m.Extra, &dns.TXT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeTXT, Class: 1}, Txt: []string{"x"}})
		},
		"two OPTs": func(m *dns.Msg) { m.Extra = append(m.Extra, m.Extra[0]) },
		"an answer": func(m *dns.Msg) {
			m.Answer = append(m.Answer, &dns.TXT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeTXT, Class: 1}, Txt: []string{"x"}})
		},
	} {
		key := string(AppendKey(nil, pack(edit)))
		if other := keys[key]; other != "" {
			t.Errorf("%s and %s have one key", what, other)
		}
		keys[key] = what
	}
}

// Keys of whatever bytes: equal bytes have equal keys, and messages that ask differently
// have others.
func FuzzAppendKey(f *testing.F) {
	f.Add([]byte("\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"), []byte("\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01A\x00\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if len(a) < HeaderSize || len(b) < HeaderSize {
			return
		}
		same := string(AppendKey(nil, a)) == string(AppendKey(nil, b))
		qa, qb := Question(a), Question(b)
		if same && qa != nil && qb != nil && !SameQuestion(qa, qb) && string(a[2:]) != string(b[2:]) {
			t.Errorf("% x and % x share a key", a, b)
		}
		if string(a[2:]) == string(b[2:]) && !same {
			t.Errorf("% x has two keys", a)
		}
	})
}

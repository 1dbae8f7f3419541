package wire

import (
	"testing"

	"github.com/miekg/dns"
)

// packed packs a reply with these records; those for the additional section come after "+".
func packed(t testing.TB, compress bool, records ...string) []byte {
	t.Helper()
	m := new(dns.Msg).SetQuestion("host.example.", dns.TypeA)
	m.Response, m.Compress = true, compress
	section := &m.Answer
	for _, text := range records {
		switch text {
		case "+":
			section = &m.Extra
			continue
		case "OPT":
			m.SetEdns0(1232, true)
			continue
		}
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		*section = append(*section, rr)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var common = []string{
	"host.example. 60 IN CNAME other.example.",
	"other.example. 60 IN A 192.0.2.1",
	"other.example. 60 IN AAAA 2001:db8::1",
	"example. 60 IN NS ns.example.",
	"example. 60 IN SOA ns.example. hostmaster.example. 1 2 3 4 5",
	"example. 60 IN MX 10 mail.example.",
	`example. 60 IN TXT "one" "two"`,
	"_dns._udp.example. 60 IN SRV 1 2 53 ns.example.",
	"1.2.0.192.in-addr.arpa. 60 IN PTR host.example.",
	"sub.example. 60 IN DNAME other.example.",
}

func TestWellFormed(t *testing.T) {
	for _, compress := range []bool{false, true} {
		plain := packed(t, compress, common...)
		if opt, ok := WellFormed(plain); !ok || opt != 0 {
			t.Errorf("compressed %v: %v, OPT at %d", compress, ok, opt)
		}
		edns := packed(t, compress, append(common, "OPT")...)
		if opt, ok := WellFormed(edns); !ok || opt != len(edns)-10 {
			t.Errorf("compressed %v: with OPT %v, at %d of %d", compress, ok, opt, len(edns))
		}
		for n := range edns {
			if _, ok := WellFormed(edns[:n]); ok {
				t.Errorf("compressed %v: cut to %d of %d bytes it is well-formed", compress, n, len(edns))
			}
		}
		if _, ok := WellFormed(append(edns, 0)); ok {
			t.Errorf("compressed %v: with a byte behind it is well-formed", compress)
		}
	}
	for what, msg := range map[string][]byte{
		"nothing":             nil,
		"a type not known":    packed(t, true, "host.example. 60 IN CAA 0 issue \"ca.example\""),
		"OPT, then more":      append(packed(t, true, "OPT", "+"), 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4),
		"another class":       packed(t, true, "host.example. 60 CH TXT x"),
		"two questions":       func() []byte { b := packed(t, true); b[5] = 2; return append(b, b[HeaderSize:]...) }(),
		"a pointer forward":   append(func() []byte { b := packed(t, true); b[7] = 1; return b }(), 0xc0, 60, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4),
		"a pointer to itself": append(func() []byte { b := packed(t, true); b[7] = 1; return b }(), 0xc0, 30, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4),
	} {
		if _, ok := WellFormed(msg); ok {
			t.Errorf("%s: well-formed", what)
		}
	}
}

// What is well-formed CoreDNS's library can unpack, and all of it.
func FuzzWellFormed(f *testing.F) {
	for _, compress := range []bool{false, true} {
		f.Add(packed(f, compress, common...))
		f.Add(packed(f, compress, append(common, "OPT")...))
		for _, rr := range common {
			f.Add(packed(f, compress, rr, "OPT"))
		}
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		opt, ok := WellFormed(msg)
		if !ok {
			return
		}
		m := new(dns.Msg)
		if err := m.Unpack(msg); err != nil {
			t.Fatalf("%v: % x", err, msg)
		}
		h := Header(msg)
		if len(m.Question) != 1 || len(m.Answer) != h.Answers() || len(m.Extra) != h.Additionals() {
			t.Fatalf("unpacked to %v: % x", m, msg)
		}
		if (m.IsEdns0() != nil) != (opt > 0) {
			t.Fatalf("OPT at %d: % x", opt, msg)
		}
		if err := Check(msg); err != nil {
			t.Fatalf("%v: % x", err, msg)
		}
	})
}

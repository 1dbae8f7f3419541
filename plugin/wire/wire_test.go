package wire

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/miekg/dns"
)

func pack(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rr(t testing.TB, s string) dns.RR {
	t.Helper()
	r, err := dns.NewRR(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sample(t testing.TB) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion("Host.Example.", dns.TypeA)
	m.Response = true
	m.Compress = true
	m.Answer = []dns.RR{rr(t, "host.example. 60 IN CNAME real.example."), rr(t, "real.example. 61 IN A 192.0.2.1")}
	m.Ns = []dns.RR{rr(t, "example. 62 IN NS ns.example.")}
	m.SetEdns0(1232, true)
	return m
}

func TestHeader(t *testing.T) {
	m := sample(t)
	m.Id, m.Truncated, m.Rcode = 0xabcd, true, dns.RcodeRefused
	m.Authoritative, m.RecursionAvailable = true, true
	b := pack(t, m)
	h := Header(b)
	if h.ID() != 0xabcd || !h.Response() || !h.Truncated() || h.Rcode() != dns.RcodeRefused || h.Questions() != 1 || h.Answers() != 2 || h.Opcode() != dns.OpcodeQuery {
		t.Errorf("header read wrong: % x", b[:HeaderSize])
	}
	if !h.Authoritative() || !h.RecursionAvailable() {
		t.Errorf("AA or RA is not seen: % x", b[:HeaderSize])
	}
	h.SetID(7)
	if h.ID() != 7 {
		t.Errorf("id is %d after SetID(7)", h.ID())
	}
	m.Opcode, m.Response, m.Truncated = dns.OpcodeNotify, false, false
	for _, aa := range []bool{false, true} {
		m.Authoritative, m.RecursionAvailable = aa, !aa
		h = Header(pack(t, m))
		if h.Authoritative() != aa || h.RecursionAvailable() == aa {
			t.Errorf("AA %v, RA %v in % x", h.Authoritative(), h.RecursionAvailable(), h[:HeaderSize])
		}
	}
	if h.Opcode() != dns.OpcodeNotify || h.Response() || h.Truncated() {
		t.Errorf("header read wrong: % x", h[:HeaderSize])
	}
}

func TestQuestion(t *testing.T) {
	question := func(name string, typ uint16) []byte {
		m := new(dns.Msg)
		m.SetQuestion(name, typ)
		return Question(pack(t, m))
	}
	a := question("Host.Example.", dns.TypeA)
	for _, tc := range []struct {
		what string
		b    []byte
		same bool
	}{
		{"itself", a, true},
		{"other case", question("hOST.eXAMPLE.", dns.TypeA), true},
		{"other type", question("host.example.", dns.TypeAAAA), false},
		{"other name", question("most.example.", dns.TypeA), false},
		{"parent", question("example.", dns.TypeA), false},
		{"labels split elsewhere", question("hos.texample.", dns.TypeA), false},
		{"none", nil, false},
	} {
		if got := SameQuestion(a, tc.b); got != tc.same {
			t.Errorf("%s: same = %v, want %v", tc.what, got, tc.same)
		}
	}
	if got := AppendName([]byte("x"), a); string(got) != "x\x04host\x07example\x00" {
		t.Errorf("name is %q", got)
	}
	if got := AppendName(nil, question(".", dns.TypeNS)); string(got) != "\x00" {
		t.Errorf("the root is %q", got)
	}
	if got := AppendName(nil, nil); len(got) != 0 {
		t.Errorf("no question is %q", got)
	}
	if SameQuestion(nil, nil) {
		t.Error("two missing questions are the same")
	}
	if got := QuestionType(question("host.example.", dns.TypeSRV)); got != dns.TypeSRV {
		t.Errorf("type is %d", got)
	}
	if got := question(".", dns.TypeNS); len(got) != 5 || QuestionType(got) != dns.TypeNS {
		t.Errorf("root question is % x", got)
	}

	whole := pack(t, sample(t))
	for n := range HeaderSize + len(a) {
		if q := Question(whole[:n]); q != nil {
			t.Errorf("question out of %d bytes: % x", n, q)
		}
	}
	pointer := append(bytes.Clone(whole[:HeaderSize]), 0xc0, 0x0c, 0, 1, 0, 1)
	if q := Question(pointer); q != nil {
		t.Errorf("question of a compressed name: % x", q)
	}
}

func TestExtendedErrorText(t *testing.T) {
	with := func(options ...dns.EDNS0) []byte {
		m := sample(t)
		m.IsEdns0().Option = options
		return pack(t, m)
	}
	nsid := &dns.EDNS0_NSID{Code: dns.EDNS0NSID, Nsid: "abcd"}
	ede := func(text string) dns.EDNS0 {
		return &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeNetworkError, ExtraText: text}
	}
	for _, tc := range []struct {
		msg  []byte
		want string
	}{
		{with(), ""},
		{with(nsid), ""},
		{with(ede("")), ""},
		{with(nsid, ede("no route"), ede("second")), "no route"},
		{with(ede("a\nb\x1b[1m\u00e4")), "a\nb\x1b[1mä"},
		{with(ede("cut"))[:50], ""},
		{nil, ""},
	} {
		if got := ExtendedErrorText(tc.msg); got != tc.want {
			t.Errorf("got %q, want %q of % x", got, tc.want, tc.msg)
		}
	}
}

func TestRecords(t *testing.T) {
	b := pack(t, sample(t))
	var got []Record
	if err := Records(b, func(r Record) bool { got = append(got, r); return true }); err != nil {
		t.Fatal(err)
	}
	want := []struct {
		section    int
		typ, class uint16
		ttl        uint32
	}{
		{Answer, dns.TypeCNAME, dns.ClassINET, 60},
		{Answer, dns.TypeA, dns.ClassINET, 61},
		{Authority, dns.TypeNS, dns.ClassINET, 62},
		{Additional, dns.TypeOPT, 1232, 0x8000},
	}
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.Section != w.section || g.Type != w.typ || g.Class != w.class || g.TTL != w.ttl {
			t.Errorf("record %d is %+v, want %+v", i, g, w)
		}
	}
	if !bytes.Equal(got[1].Data, []byte{192, 0, 2, 1}) {
		t.Errorf("data of the A record is % x", got[1].Data)
	}

	for n := range b {
		if err := Check(b[:n]); !errors.Is(err, ErrMalformed) {
			t.Errorf("the first %d of %d bytes pass as a whole message", n, len(b))
		}
	}
	if err := Check(append(b, 1, 2, 3)); err != nil {
		t.Errorf("trailing bytes: %v", err)
	}
	n := 0
	if err := Records(b, func(Record) bool { n++; return n < 2 }); err != nil || n != 2 {
		t.Errorf("stopped after %d records with %v, want 2 and no error", n, err)
	}
}

// FuzzRecords holds the reader against the DNS library: no message makes it
// panic, and a message that the library packed is read whole. Its seeds are in testdata/fuzz.
func FuzzRecords(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = Check(b)
		_ = ExtendedErrorText(b)
		q := Question(b)
		if q != nil && !SameQuestion(q, q) {
			t.Errorf("question % x is not like itself", q)
		}
		m := new(dns.Msg)
		if m.Unpack(b) != nil {
			return
		}
		packed, err := m.Pack()
		if err != nil {
			return
		}
		if plain := WithoutOPT(packed); plain != nil {
			got := new(dns.Msg)
			if err := got.Unpack(plain); err != nil || !slices.Equal(got.Question, m.Question) || len(got.Extra) > 0 || !bytes.Equal(plain[:10], packed[:10]) {
				t.Errorf("without OPT: %v, %v; want %v", err, got, m)
			}
		}
		want := len(m.Answer) + len(m.Ns) + len(m.Extra)
		got := 0
		if err := Records(packed, func(Record) bool { got++; return true }); err != nil || got != want {
			t.Errorf("read %d of %d records, %v: % x", got, want, err, packed)
		}
	})
}

func TestWithoutOPT(t *testing.T) {
	for what, tc := range map[string]struct {
		edit func(*dns.Msg)
		want bool
	}{
		"OPT":            {func(m *dns.Msg) { m.SetEdns0(1232, true) }, true},
		"nothing":        {func(*dns.Msg) {}, false},
		"OPT and TSIG":   {func(m *dns.Msg) { m.SetEdns0(1232, false); m.SetTsig("key.", dns.HmacSHA256, 300, 1) }, false},
		"another record": {func(m *dns.Msg) { m.Extra = []dns.RR{&dns.NULL{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNULL}}} }, false},
	} {
		m := new(dns.Msg)
		m.SetQuestion("host.example.", dns.TypeA)
		m.Id = 4711
		bare, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		tc.edit(m)
		query, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		before := bytes.Clone(query)
		if got := WithoutOPT(query); (got != nil) != tc.want || tc.want && !bytes.Equal(got, bare) {
			t.Errorf("%s: % x", what, got)
		}
		if !bytes.Equal(query, before) {
			t.Errorf("%s: the query was changed", what)
		}
	}
	if WithoutOPT([]byte("short")) != nil {
		t.Error("what is no message has a question")
	}
}

// Names are read whole and in lower case, compressed or not; what is none is nil.
func TestAppendNameAt(t *testing.T) {
	for _, compress := range []bool{false, true} {
		m := sample(t)
		m.Compress = compress
		b := pack(t, m)
		var owners, targets []string
		Records(b, func(r Record) bool {
			owners = append(owners, string(AppendNameAt(nil, b, r.Owner)))
			if r.Type == dns.TypeCNAME {
				targets = append(targets, string(AppendNameAt(nil, b, r.DataAt)))
			}
			if !bytes.Equal(b[r.DataAt:r.DataAt+len(r.Data)], r.Data) {
				t.Errorf("the data of type %d are not at %d", r.Type, r.DataAt)
			}
			return true
		})
		host, real := "\x04host\x07example\x00", "\x04real\x07example\x00"
		if want := []string{host, real, "\x07example\x00", "\x00"}; !slices.Equal(owners, want) || !slices.Equal(targets, []string{real}) {
			t.Errorf("compressed %v: owners %q, targets %q", compress, owners, targets)
		}
		if got := AppendNameAt([]byte("x"), b, HeaderSize); string(got) != "x"+host {
			t.Errorf("got %q", got)
		}
	}
	label := append([]byte{63}, bytes.Repeat([]byte{'a'}, 63)...)
	longest := append(bytes.Repeat(label, 3), append(append([]byte{61}, label[1:62]...), 0)...) // 255 bytes
	for what, tc := range map[string]struct {
		msg []byte
		ok  bool
	}{
		"the longest":             {longest, true},
		"one byte more":           {append(bytes.Repeat(label, 3), append(append([]byte{62}, label[1:63]...), 0)...), false},
		"no end":                  {label, false},
		"nothing":                 {nil, false},
		"a label that ends":       {[]byte{3, 'a'}, false},
		"a pointer that ends":     {[]byte{0xc0}, false},
		"one to itself":           {[]byte{0xc0, 0}, false},
		"two in a circle":         {[]byte{0xc0, 2, 0xc0, 0}, false},
		"one that grows for ever": {[]byte{1, 'a', 0xc0, 0}, false},
		"one to nowhere":          {[]byte{0xc0, 9}, false},
		"an unknown kind":         {[]byte{0x80, 0}, false},
		"one to the root":         {[]byte{0xc0, 2, 0}, true},
	} {
		if got := AppendNameAt(nil, tc.msg, 0); (got != nil) != tc.ok {
			t.Errorf("%s: got %q", what, got)
		}
	}
}

func TestBelow(t *testing.T) {
	for _, tc := range []struct {
		name, parent string
		want         bool
	}{
		{"\x01a\x07example\x00", "\x07example\x00", true},
		{"\x07example\x00", "\x07example\x00", true},
		{"\x07example\x00", "\x00", true},
		{"\x00", "\x00", true},
		{"\x07example\x00", "\x01a\x07example\x00", false},
		{"\x03bad\x00", "\x02ad\x00", false},
		{"\x0aa\x07example\x00", "\x07example\x00", false}, // one label
		{"", "\x00", false},
		{"\x00", "", false},
	} {
		if got := Below([]byte(tc.name), []byte(tc.parent)); got != tc.want {
			t.Errorf("%q below %q: %v", tc.name, tc.parent, got)
		}
	}
}

func TestDO(t *testing.T) {
	q := new(dns.Msg).SetQuestion("host.example.", dns.TypeA)
	if DO(pack(t, q)) {
		t.Error("without EDNS")
	}
	q.SetEdns0(1232, false)
	if DO(pack(t, q)) {
		t.Error("without DO")
	}
	q.SetEdns0(1232, true)
	if !DO(pack(t, q)) {
		t.Error("DO is not seen")
	}
	q.Extra = append([]dns.RR{rr(t, "x. 32768 IN A 192.0.2.1")}, q.Extra[1]) // its TTL is no flag
	if !DO(pack(t, q)) {
		t.Error("DO is not seen behind another record")
	}
	q.Extra = q.Extra[:1]
	if DO(pack(t, q)) || DO(nil) {
		t.Error("no OPT")
	}
}

func TestSigned(t *testing.T) {
	sig := rr(t, "host.example. 60 IN RRSIG A 13 2 60 20300101000000 20200101000000 1 example. AAAA")
	for what, tc := range map[string]struct {
		add  func(m *dns.Msg)
		want bool
	}{
		"no":            {func(*dns.Msg) {}, false},
		"in answer":     {func(m *dns.Msg) { m.Answer = append(m.Answer, sig) }, true},
		"in authority":  {func(m *dns.Msg) { m.Ns = append(m.Ns, sig) }, true},
		"in additional": {func(m *dns.Msg) { m.Extra = append([]dns.RR{sig}, m.Extra...) }, false},
	} {
		m := sample(t)
		tc.add(m)
		if got := Signed(pack(t, m)); got != tc.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}

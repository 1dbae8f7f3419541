package wire

import (
	"bytes"
	"testing"

	"github.com/miekg/dns"
	"golang.org/x/net/dns/dnsmessage"
)

// FuzzDifferential holds the reader against two others that are known to be right. It
// finds the end of just those messages whose end dnsmessage finds, and the same header
// and records where dnsmessage can read their names; and what the DNS library can
// unpack and pack again it reads as the library does.
func FuzzDifferential(f *testing.F) {
	m := sample(f)
	f.Add(pack(f, m))
	m.Compress = true
	m.SetEdns0(1232, true)
	f.Add(pack(f, m))
	f.Add(pack(f, new(dns.Msg).SetQuestion("example.", dns.TypeA)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p dnsmessage.Parser
		h, err := p.Start(b)
		if err != nil {
			if len(b) >= HeaderSize || Check(b) == nil {
				t.Errorf("dnsmessage: %v, and Check: %v", err, Check(b))
			}
			return
		}
		if g := Header(b); g.ID() != h.ID || g.Response() != h.Response || g.Opcode() != int(h.OpCode) || g.Authoritative() != h.Authoritative ||
			g.Truncated() != h.Truncated || g.RecursionAvailable() != h.RecursionAvailable || g.Rcode() != int(h.RCode) {
			t.Errorf("the header % x is not %+v", b[:HeaderSize], h)
		}
		end := skipAll(p)
		if err := Check(b); (err == nil) != (end == nil) {
			t.Errorf("dnsmessage: %v, and Check: %v", end, err)
		}
		want, named := headers(p)
		i := 0
		Records(b, func(r Record) bool {
			if i < len(want) && (want[i].section != r.Section || uint16(want[i].Type) != r.Type || uint16(want[i].Class) != r.Class ||
				want[i].TTL != r.TTL || int(want[i].Length) != len(r.Data)) {
				t.Errorf("record %d is %+v, and to dnsmessage %+v", i, r, want[i])
			}
			i++
			return true
		})
		if i < len(want) || named && end == nil && i != len(want) {
			t.Errorf("%d records, and to dnsmessage %d", i, len(want))
		}

		m := new(dns.Msg)
		if m.Unpack(b) != nil {
			return
		}
		packed, err := m.Pack()
		if err != nil {
			return
		}
		all := append(append(append([]dns.RR(nil), m.Answer...), m.Ns...), m.Extra...)
		Records(packed, func(r Record) bool {
			if h := all[0].Header(); h.Rrtype != r.Type || h.Class != r.Class || h.Ttl != r.TTL && r.Type != typeOPT {
				t.Errorf("%+v, and to the DNS library %v", r, all[0])
			}
			all = all[1:]
			return true
		})
		if len(all) > 0 {
			t.Errorf("not read: %v", all)
		}
		if q := Question(packed); (q == nil) != (len(m.Question) == 0) {
			t.Errorf("question % x of %v", q, m.Question)
		} else if q != nil && (QuestionType(q) != m.Question[0].Qtype || !bytes.Equal(q, packed[HeaderSize:HeaderSize+len(q)])) {
			t.Errorf("question % x of %v", q, m.Question)
		}
	})
}

// skipAll reads a message to its end.
func skipAll(p dnsmessage.Parser) error {
	for _, skip := range []func() error{p.SkipAllQuestions, p.SkipAllAnswers, p.SkipAllAuthorities, p.SkipAllAdditionals} {
		if err := skip(); err != nil {
			return err
		}
	}
	return nil
}

type header struct {
	dnsmessage.ResourceHeader
	section int
}

// headers returns the records that can be read one after another, and whether those are
// all.
func headers(p dnsmessage.Parser) (all []header, whole bool) {
	if p.SkipAllQuestions() != nil {
		return nil, false
	}
	for section, read := range [][2]any{{p.AnswerHeader, p.SkipAnswer}, {p.AuthorityHeader, p.SkipAuthority}, {p.AdditionalHeader, p.SkipAdditional}} {
		for {
			h, err := read[0].(func() (dnsmessage.ResourceHeader, error))()
			if err == dnsmessage.ErrSectionDone {
				break
			}
			if err != nil || read[1].(func() error)() != nil {
				return all, false
			}
			all = append(all, header{h, section})
		}
	}
	return all, true
}

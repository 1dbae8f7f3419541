package upstream

import (
	"errors"
	"testing"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

func TestUsable(t *testing.T) {
	q := query("host.example.")
	reply := func(edit func(*dns.Msg)) []byte { return replyTo(q.Msg, edit) }
	truncated := func(m *dns.Msg) { m.Truncated = true }
	partial := func(m *dns.Msg) { m.Truncated = true; good(m) }
	for _, tc := range []struct {
		what  string
		reply []byte
		use   Truncated
		want  error
	}{
		{"good", reply(good), TruncatedAnswers, nil},
		{"good, whole", reply(good), TruncatedNever, nil},
		{"empty", reply(nil), TruncatedAnswers, nil},
		{"truncated", reply(truncated), TruncatedAnswers, errTruncated},
		{"partial", reply(partial), TruncatedAnswers, nil},
		{"partial, whole", reply(partial), TruncatedNever, errTruncated},
		{"truncated, signed", reply(truncated), TruncatedAlways, nil},
		{"cut off, signed", reply(good)[:40], TruncatedAlways, errMalformed},
		{"cut off", reply(good)[:40], TruncatedAnswers, errMalformed},
		{"truncated and cut off", reply(partial)[:40], TruncatedAnswers, errMalformed},
	} {
		if err := usable(tc.reply, tc.use); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.what, err, tc.want)
		}
	}
}

// FuzzMatch holds the acceptance of a packet to its rule: what is accepted is a
// response to the question asked, or an error without one. Its seeds are in
// testdata/fuzz.
func FuzzMatch(f *testing.F) {
	f.Fuzz(func(t *testing.T, q, reply []byte) {
		if len(q) < wire.HeaderSize || wire.Question(q) == nil || !matches(q, reply) {
			return
		}
		m := new(dns.Msg)
		if m.Unpack(reply) != nil {
			return
		}
		if !m.Response {
			t.Error("a query is taken for a reply")
		}
		if len(m.Question) == 0 && (m.Rcode == dns.RcodeSuccess || len(m.Answer) > 0) {
			t.Error("a reply without question says more than an error")
		}
		asked := new(dns.Msg)
		if len(m.Question) == 0 || asked.Unpack(q) != nil || len(asked.Question) == 0 {
			return
		}
		a, b := asked.Question[0], m.Question[0]
		if dns.CanonicalName(a.Name) != dns.CanonicalName(b.Name) || a.Qtype != b.Qtype || a.Qclass != b.Qclass {
			t.Errorf("%v is taken for a reply to %v", b, a)
		}
	})
}

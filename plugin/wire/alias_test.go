package wire

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestFollowAliases(t *testing.T) {
	long := func(n int) (records []string) {
		for i := range n {
			records = append(records, fmt.Sprintf("n%d.example. 60 IN CNAME n%d.example.", i, i+1))
		}
		return records
	}
	reversed := func(records []string) []string { slices.Reverse(records); return records }
	for _, tc := range []struct {
		what     string
		name     string
		qtype    uint16
		answer   []string
		answered bool
		followed int
		endless  bool
		end      string
		places   []int
	}{
		{"nothing", "n0.example.", dns.TypeA, nil, false, 0, false, "n0.example.", nil},
		{"an address", "N0.example.", dns.TypeA, []string{"n0.Example. 60 IN A 192.0.2.1"}, true, 0, false, "n0.example.", nil},
		{"of another type", "n0.example.", dns.TypeAAAA, []string{"n0.example. 60 IN A 192.0.2.1"}, false, 0, false, "n0.example.", nil},
		{"an alias", "n0.example.", dns.TypeA, []string{"N0.example. 60 IN CNAME Wiki.B.Example."}, false, 1, false, "wiki.b.example.", []int{0}},
		{"what it leads to", "n0.example.", dns.TypeA, append(long(1), "n1.example. 60 IN A 192.0.2.1"), true, 1, false, "n1.example.", []int{0}},
		{"what leads there comes last", "n0.example.", dns.TypeA, []string{"n1.example. 60 IN A 192.0.2.1", "n0.example. 60 IN CNAME n1.example."}, true, 1, false, "n1.example.", []int{1}},
		{"seventeen", "n0.example.", dns.TypeA, long(17), false, 17, false, "n17.example.", []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
		{"seventeen in reverse", "n0.example.", dns.TypeA, reversed(long(17)), false, 17, false, "n17.example.", []int{16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}},
		{"as many as are followed", "n0.example.", dns.TypeA, long(32), false, 32, false, "n32.example.", nil},
		{"one more", "n0.example.", dns.TypeA, long(33), false, 33, true, "n32.example.", nil},
		{"a circle", "n0.example.", dns.TypeA, append(long(3), "n3.example. 60 IN CNAME n1.example."), false, 33, true, "n2.example.", nil},
		{"of one", "n0.example.", dns.TypeA, []string{"n0.example. 60 IN CNAME n0.example."}, false, 33, true, "n0.example.", nil},
		{"that does not begin with the name", "n0.example.", dns.TypeA, []string{"n1.example. 60 IN CNAME n2.example."}, false, 0, false, "n0.example.", nil},
		{"a CNAME was asked for", "n0.example.", dns.TypeCNAME, long(1), true, 0, false, "n0.example.", nil},
		{"anything was", "n0.example.", dns.TypeANY, long(1), true, 0, false, "n0.example.", nil},
		{"DNAME and its CNAME", "w.a.example.", dns.TypeA, []string{"a.example. 60 IN DNAME b.example.", "w.a.example. 60 IN CNAME w.b.example."}, false, 1, false, "w.b.example.", []int{1}},
		{"DNAME alone", "W.X.a.example.", dns.TypeA, []string{"a.Example. 60 IN DNAME B.test."}, false, 1, false, "w.x.b.test.", []int{0}},
		{"DNAME of the root", "w.a.example.", dns.TypeA, []string{". 60 IN DNAME b.example."}, false, 24, true, "w.a.example." + strings.Repeat("b.example.", 24), nil},
		{"DNAME to the root", "w.a.example.", dns.TypeA, []string{"a.example. 60 IN DNAME ."}, false, 1, false, "w.", []int{0}},
		{"DNAME and an answer", "w.a.example.", dns.TypeA, []string{"a.example. 60 IN DNAME b.example.", "w.b.example. 60 IN A 192.0.2.1"}, true, 1, false, "w.b.example.", []int{0}},
		{"DNAME of the name itself, which it leaves", "a.example.", dns.TypeA, []string{"a.example. 60 IN DNAME b.example."}, false, 0, false, "a.example.", nil},
		{"DNAME that was asked for", "a.example.", dns.TypeDNAME, []string{"a.example. 60 IN DNAME b.example."}, true, 0, false, "a.example.", nil},
		{"DNAMEs in a circle", "w.a.example.", dns.TypeA, []string{"a.example. 60 IN DNAME b.example.", "b.example. 60 IN DNAME a.example."}, false, 33, true, "w.a.example.", nil},
		{"DNAME to names that are too long", "www.a.example.", dns.TypeA, []string{"a.example. 60 IN DNAME " + strings.Repeat(strings.Repeat("x", 62)+".", 4)}, false, 0, true, "www.a.example.", nil},
	} {
		for _, compress := range []bool{true, false} {
			m := new(dns.Msg).SetQuestion(tc.name, tc.qtype)
			m.Response, m.Compress = true, compress
			for _, text := range tc.answer {
				m.Answer = append(m.Answer, rr(t, text))
			}
			m.Ns = []dns.RR{rr(t, "n0.example. 60 IN CNAME other.example.")} // which is no answer
			msg, buf := pack(t, m), [255]byte{}
			var places []int
			a := FollowAliases(msg, buf[:0], func(place int) { places = append(places, place) })
			end, _, err := dns.UnpackDomainName(a.End, 0)
			if a.Answered != tc.answered || a.Followed != tc.followed || a.Endless != tc.endless || end != tc.end || err != nil {
				t.Errorf("%s: %+v, end %s, %v", tc.what, a, end, err)
			}
			if tc.places != nil && !slices.Equal(places, tc.places) {
				t.Errorf("%s: followed were %v", tc.what, places)
			}
			if got := Answers(msg); got != tc.answered {
				t.Errorf("%s: answers %v", tc.what, got)
			}
			if AnswersAtOnce(msg) && !tc.answered {
				t.Errorf("%s: it answers at once, and does not answer", tc.what)
			}
			if n := testing.AllocsPerRun(10, func() { FollowAliases(msg, buf[:0], nil) }); n != 0 {
				t.Errorf("%s: %v allocations", tc.what, n)
			}
		}
	}
}

// Nothing makes it read beyond a message, or go on for ever.
func FuzzFollowAliases(f *testing.F) {
	m := new(dns.Msg).SetQuestion("w.a.example.", dns.TypeA)
	m.Compress = true
	for _, text := range []string{"a.example. 60 IN DNAME b.example.", "w.b.example. 60 IN CNAME c.example.", "c.example. 60 IN A 192.0.2.1"} {
		m.Answer = append(m.Answer, rr(f, text))
	}
	f.Add(pack(f, m))
	f.Fuzz(func(t *testing.T, msg []byte) {
		if len(Question(msg)) > maxName+4 { // no query has such a name
			return
		}
		var buf [255]byte
		a := FollowAliases(msg, buf[:0], nil)
		if len(a.End) > maxName || a.Followed > maxAliases+1 || Answers(msg) && !a.Answered && !AnswersAtOnce(msg) {
			t.Errorf("%+v", a)
		}
		if len(msg) >= HeaderSize && AnswersAtOnce(msg) && Header(msg).Answers() > 0 && Check(msg) == nil && !a.Answered {
			t.Errorf("it answers at once, but is not found to answer: %+v", a)
		}
	})
}

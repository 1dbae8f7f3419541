package upstream

import (
	"errors"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

func TestRTT(t *testing.T) {
	var r rtt
	equal(t, "before any sample", r.timeout(), firstRTO)
	r.expired()
	equal(t, "after a loss", r.timeout(), 2*firstRTO)
	for range 10 {
		r.expired()
	}
	equal(t, "after many", r.timeout(), maxRTO)

	r.sample(200 * ms)
	equal(t, "smoothed", r.smoothed, 200*ms)
	equal(t, "deviation", r.deviation, 100*ms)
	equal(t, "a sample takes the doublings back", r.timeout(), 600*ms)
	r.sample(280 * ms)
	equal(t, "smoothed", r.smoothed, 210*ms)
	equal(t, "deviation", r.deviation, 95*ms)

	for range 100 {
		r.sample(time.Millisecond)
	}
	equal(t, "near", r.timeout(), minRTO)
	for range toShift - 1 {
		r.expired()
	}
	equal(t, "some losses", r.timeout(), minRTO)
	r.expired()
	equal(t, "too many for losses", r.timeout(), 2*minRTO)
	for range 100 {
		r.expired()
	}
	equal(t, "far too many", r.timeout(), minRTO<<maxShift)
	for range 100 {
		r.sample(10 * time.Second)
	}
	equal(t, "very far", r.timeout(), maxRTO)
	r = rtt{}
	r.sample(0) // a clock may be coarse
	equal(t, "no time at all", r.timeout(), minRTO)
}

func TestHealth(t *testing.T) {
	start := time.Now()
	at := func(d time.Duration) time.Time { return start.Add(d) }
	for _, tc := range []struct {
		what       string
		heard      time.Duration // -1: never
		begun, now time.Duration
		down       bool
	}{
		{"never heard, waited long", -1, 0, 2 * time.Second, true},
		{"never heard, not yet", -1, 0, 2*time.Second - 1, false},
		{"heard before", 0, time.Second, 3 * time.Second, true},
		{"heard before, not yet", 0, time.Second, 2 * time.Second, false},
		{"heard since", 2 * time.Second, time.Second, 9 * time.Second, false},
		{"heard at that moment", time.Second, time.Second, 9 * time.Second, false},
	} {
		var h health
		if tc.heard >= 0 {
			h.heard(at(tc.heard))
		}
		if got := h.silent(at(tc.begun), at(tc.now), testPatience); got != tc.down || h.down != tc.down {
			t.Errorf("%s: went down %v, is down %v; want %v", tc.what, got, h.down, tc.down)
		}
		if h.silent(at(tc.begun), at(tc.now), testPatience) {
			t.Errorf("%s: went down twice", tc.what)
		}
		h.heard(at(tc.now))
		if h.down {
			t.Errorf("%s: down though it speaks", tc.what)
		}
	}
}

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

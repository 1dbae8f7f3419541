package knowledge

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
)

// R16: who denied a name is known while that lives, and until he finds it.
func TestR16Denied(t *testing.T) {
	good := reply(t, []string{"host.example. 600 IN A 192.0.2.1"}, nil)
	denial := func(ttl string) []byte {
		return reply(t, nil, []string{"example. " + ttl + " IN SOA ns.example. h.example. 1 2 3 4 3600"})
	}
	synctest.Test(t, func(t *testing.T) {
		var n Names
		q, other := question(t, "host.example.", dns.TypeAAAA), question(t, "no.example.", dns.TypeAAAA)
		want := func(names string, since time.Duration) {
			t.Helper()
			past := n.Past(question(t, "HOST.example.", dns.TypeHTTPS), time.Now())
			by, at := past.Denied, past.Since
			if who(by) != names || by != 0 && time.Since(at).Round(time.Second) != since {
				t.Errorf("denied by %s since %v, want %s, %v", who(by), time.Since(at), names, since)
			}
		}
		n.Denied(other, 1, race.NXDomainSOA, denial("60"), age, time.Now())
		if past := n.Past(other, time.Now()); past.Denied != 0 {
			t.Error("a name that nobody knows costs a place")
		}
		n.Replied(q, 0, race.Good, good, time.Now())
		n.Denied(q, 1, race.NXDomainSOA, denial("60"), age, time.Now())
		time.Sleep(10 * time.Second)
		n.Denied(q, 2, race.NXDomainSOA, denial("300"), age, time.Now())
		n.Denied(q, 64, race.NXDomainSOA, denial("300"), age, time.Now())
		want("[1 2]", 10*time.Second)
		time.Sleep(49 * time.Second)
		want("[1 2]", 59*time.Second)
		time.Sleep(time.Second) // the first is over
		want("[]", 0)
		n.Denied(q, 2, race.NXDomain, denial("300"), age, time.Now())
		want("[2]", 0)
		time.Sleep(leastDenial) // without SOA it is not for long
		want("[]", 0)
		n.Denied(q, 2, race.NXDomainSOA, denial("0"), age, time.Now())
		time.Sleep(leastDenial - time.Second)
		want("[2]", leastDenial-time.Second)
		n.Denied(q, 1, race.NXDomainSOA, denial("300"), age, time.Now())
		n.Replied(q, 2, race.Good, good, time.Now())
		want("[1]", leastDenial-time.Second)
		time.Sleep(time.Second)
		n.Denied(q, 1, race.NXDomainSOA, denial("3600"), age, time.Now())
		time.Sleep(age)
		want("[]", 0)
	})
}

// R17: whose view a client has counts for other types, while it lives.
func TestR17View(t *testing.T) {
	good := reply(t, []string{"host.example. 60 IN A 192.0.2.1"}, nil)
	synctest.Test(t, func(t *testing.T) {
		var n Names
		a, aaaa := question(t, "host.example.", dns.TypeA), question(t, "host.example.", dns.TypeAAAA)
		n.Given(a, 1, race.Good, good, time.Now())
		if _, ok := n.View(aaaa, time.Now()); ok {
			t.Error("a name that is not known has a view")
		}
		n.Replied(a, 1, race.Good, good, time.Now())
		n.Given(a, 1, race.Good, good, time.Now())
		if by, ok := n.View(aaaa, time.Now()); by != 1 || !ok {
			t.Errorf("%d, %v", by, ok)
		}
		if _, ok := n.View(a, time.Now()); ok {
			t.Error("it counts for its own type")
		}
		time.Sleep(time.Minute)
		if _, ok := n.View(aaaa, time.Now()); ok {
			t.Error("it has not ended")
		}
		n.Replied(a, 1, race.Good, good, time.Now())
		n.Given(a, 1, race.Good, good, time.Now())
		n.Replied(aaaa, 1, race.NXDomain, nil, time.Now())
		if _, ok := n.View(aaaa, time.Now()); ok {
			t.Error("who gave it has denied the name")
		}
	})
}

// R16: so is who has said that it has no such record, of some types.
func TestR16Lacks(t *testing.T) {
	good := reply(t, []string{"host.example. 600 IN A 192.0.2.1"}, nil)
	no := reply(t, nil, []string{"example. 60 IN SOA ns.example. h.example. 1 2 3 4 3600"})
	synctest.Test(t, func(t *testing.T) {
		var n Names
		q := func(qtype uint16) []byte { return question(t, "host.example.", qtype) }
		want := func(qtype uint16, names string) {
			t.Helper()
			if by := who(n.Past(q(qtype), time.Now()).Denied); by != names {
				t.Errorf("%s is denied by %s, want %s", dns.Type(qtype), by, names)
			}
		}
		n.Replied(q(dns.TypeA), 0, race.Good, good, time.Now())
		n.Denied(q(dns.TypeAAAA), 1, race.NoDataSOA, no, age, time.Now())
		n.Denied(q(dns.TypeHTTPS), 2, race.NoDataSOA, no, age, time.Now())
		n.Denied(q(dns.TypeTXT), 3, race.NXDomainSOA, no, age, time.Now())
		n.Denied(q(dns.TypeA), 4, race.NoData, no, age, time.Now())
		want(dns.TypeAAAA, "[1 3]")
		want(dns.TypeHTTPS, "[2 3]")
		want(dns.TypeA, "[3]")
		time.Sleep(time.Second)
		n.Denied(q(dns.TypeMX), 2, race.NoDataSOA, no, age, time.Now()) // in place of one
		want(dns.TypeMX, "[2 3]")
		n.Replied(q(dns.TypeMX), 2, race.Good, good, time.Now())
		want(dns.TypeMX, "[3]")
		n.Replied(q(dns.TypeMX), 3, race.NoDataSOA, no, time.Now()) // it knows the name
		want(dns.TypeTXT, "[]")
	})
}

// R16: who has answered a name is known until it denies it and another has it, and how the
// first of them did.
func TestR16Owners(t *testing.T) {
	inside := reply(t, []string{"host.example. 60 IN A 10.0.0.1", "host.example. 60 IN A 10.0.0.2"}, nil)
	rotated := reply(t, []string{"host.example. 60 IN A 10.0.0.9", "host.example. 60 IN A 10.0.0.2"}, nil)
	other := reply(t, []string{"host.example. 60 IN A 10.0.0.3"}, nil)
	text := reply(t, []string{"host.example. 60 IN TXT x"}, nil)
	var n Names
	q := question(t, "host.example.", dns.TypeA)
	owners := func(want string) {
		t.Helper()
		if got := who(n.Past(question(t, "HOST.example.", dns.TypeTXT), time.Now()).Owners); got != want {
			t.Errorf("%s have answered, want %s", got, want)
		}
	}
	n.Owned(q, 1, inside)
	owners("[]") // the name is not known
	n.Replied(q, 1, race.Good, inside, time.Now())
	n.Owned(q, 1, inside)
	n.Owned(q, 2, other)
	n.Owned(q, 64, other)
	owners("[1 2]")
	for _, tc := range []struct {
		by         int
		answer     []byte
		own, alike bool
	}{
		{0, rotated, false, false}, // it never answered
		{2, other, true, false},    // it was not the first
		{2, other, false, false},   // it counts once
		{1, rotated, true, true},
		{1, rotated, false, false},
	} {
		if own, alike := n.Disowned(q, tc.by, tc.answer); own != tc.own || alike != tc.alike {
			t.Errorf("%d denies it: own %v, alike %v", tc.by, own, alike)
		}
	}
	owners("[]")
	for answer, alike := range map[string]bool{string(other): false, string(text): false, string(inside): true} {
		n.Owned(q, 1, inside)
		n.Owned(q, 2, other)
		if _, got := n.Disowned(q, 1, []byte(answer)); got != alike {
			t.Errorf("alike is %v, want %v", got, alike)
		}
		n.Disowned(q, 2, other)
	}
	n.Owned(q, 1, text)
	if own, alike := n.Disowned(q, 1, text); !own || alike {
		t.Errorf("without addresses: own %v, alike %v", own, alike)
	}
}

// R4: whose answers for other types of a name are alive.
func TestR4AnsweredBy(t *testing.T) {
	good := func(ttl string) []byte { return reply(t, []string{"host.example. " + ttl + " IN A 192.0.2.1"}, nil) }
	no := reply(t, nil, []string{"example. 600 IN SOA ns.example. h.example. 1 2 3 4 3600"})
	synctest.Test(t, func(t *testing.T) {
		var n Names
		a, aaaa := question(t, "host.example.", dns.TypeA), question(t, "host.example.", dns.TypeAAAA)
		want := func(q []byte, answered string) {
			t.Helper()
			if got := who(n.AnsweredBy(q, time.Now())); got != answered {
				t.Errorf("%s have answered, want %s", got, answered)
			}
		}
		want(aaaa, "[]")
		n.Replied(a, 1, race.Good, good("60"), time.Now())
		n.Replied(a, 0, race.Good, good("30"), time.Now())
		n.Replied(a, 64, race.Good, good("30"), time.Now())
		want(aaaa, "[0 1]")
		want(a, "[]")
		n.Replied(aaaa, 2, race.NoDataSOA, no, time.Now()) // that is no answer
		want(question(t, "host.example.", dns.TypeHTTPS), "[0 1]")
		n.Replied(aaaa, 0, race.NXDomain, nil, time.Now())
		want(aaaa, "[1]")
		time.Sleep(time.Minute)
		want(aaaa, "[]")
		n.Replied(a, 2, race.Good, good("60"), time.Now())
		want(aaaa, "[2]")
		n.Replied(a, 2, race.NoDataSOA, no, time.Now()) // it has none any more
		want(aaaa, "[]")
	})
}

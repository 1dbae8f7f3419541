package upstream

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// FuzzSchedule has an upstream at a network and a resolver that do anything, by the bytes of a
// script: whatever happens, each exchange ends at most once, no reply is taken that answers
// another question, nothing panics, hangs or stays open, and in the end the upstream works.
func FuzzSchedule(f *testing.F) {
	f.Add([]byte{})
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 2))
		script := make([]byte, 200)
		for i := range script {
			script[i] = byte(rng.Uint32())
		}
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		synctest.Test(t, func(t *testing.T) { schedule(t, script) })
	})
}

func schedule(t *testing.T, script []byte) {
	var mu sync.Mutex
	next := func(n int) int { // of n choices; zeros follow the script
		mu.Lock()
		defer mu.Unlock()
		if len(script) == 0 {
			return 0
		}
		b := script[0]
		script = script[1:]
		return int(b) % n
	}
	states := []string{"open", "dropped", "refused", "unsent", "mute"}
	n := newNetwork("open", "open")
	n.answer = func(p packet) {
		what, late := next(12), time.Duration(next(250))*10*ms
		reply := replyTo(p.msg, good)
		switch what {
		case 0, 1:
		case 2: // nothing
			return
		case 3:
			reply = replyTo(p.msg, func(m *dns.Msg) { m.Truncated = true })
		case 4:
			reply = replyTo(p.msg, func(m *dns.Msg) { m.Rcode, m.Extra = dns.RcodeFormatError, nil })
		case 5:
			reply = reply[:20]
		case 6:
			wire.Header(reply).SetID(^wire.Header(reply).ID())
		case 7:
			reply = replyTo(p.msg, func(m *dns.Msg) { m.Question[0].Name = "other.example."; good(m) })
		case 8:
			reply = replyTo(p.msg, func(m *dns.Msg) { m.Question, m.Rcode = nil, dns.RcodeNameError })
		case 9:
			reply = replyTo(p.msg, func(m *dns.Msg) { m.Question, m.Rcode = nil, dns.RcodeRefused })
		case 10: // twice
			time.AfterFunc(late+ms, func() { p.send(reply) })
		case 11:
			if p.network == "tcp" {
				reply = nil // it is closed
			}
		}
		time.AfterFunc(late, func() { p.send(reply) })
	}
	l := &fakeLink{took: ms, state: link.Bound}
	u := n.upstream(t, func(c *Config) { c.LookAtLink = l.look })
	l.u = u
	m := new(dns.Msg).SetQuestion("host.example.", dns.TypeA)
	m.SetEdns0(MaxUDPSize, false)
	query, _ := m.Pack()
	var all []*outcome
	for range 1 + next(6) {
		o := newOutcome()
		x, wake := u.Ask(&Query{Msg: query, Stream: next(3) == 0, UDPSize: 4096, Truncated: Truncated(next(3))}, o)
		all = append(all, o)
		for range next(8) {
			switch next(8) {
			case 0:
				n.set(states[next(len(states))], states[next(len(states))])
			case 1:
				index, state := uint32(next(3)), []link.State{link.Bound, link.Unbound, link.Gone}[next(3)]
				l.set(index, state)
				if next(2) == 0 { // else a look shows it
					u.Link(index, state)
				}
			case 2:
				x.Release()
			}
			wait := time.Duration(next(200)) * 5 * ms
			if next(2) == 0 && !wake.IsZero() {
				wait = instant.Until(wake)
			}
			time.Sleep(wait)
			wake = x.Retry(instant.Now())
		}
	}
	l.is(0, link.Bound)
	n.set("open", "open")
	mu.Lock()
	script = nil
	mu.Unlock()
	n.script(answerAfter(ms, nil))
	time.Sleep(2 * testTimeout)
	if o := ask(u, typed("end.example.", dns.TypeA)); !o.good() {
		t.Errorf("in the end: good %v after %v: %v", o.good(), o.after, o.err)
	}
	for _, o := range all {
		o.waitNoMore()
		o.mu.Lock()
		if o.calls > 1 {
			t.Errorf("an exchange has ended %d times", o.calls)
		}
		if q := wire.Question(o.reply); q != nil && !wire.SameQuestion(q, wire.Question(query)) {
			t.Errorf("a reply to another question was taken: % x", o.reply)
		}
		o.mu.Unlock()
	}
}

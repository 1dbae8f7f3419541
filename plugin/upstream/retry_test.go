package upstream

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/link"
)

// lockedRand draws for whoever calls.
type lockedRand struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func (r *lockedRand) IntN(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rng.IntN(n)
}

// Whatever the network does, and whenever Retry is called, also late or for nothing, it
// never wants to be called in the past: that would be a busy loop. And whatever has happened
// before, a reply that comes is taken.
func TestRetryRandomly(t *testing.T) {
	states := []string{"open", "open", "dropped", "refused", "unsent", "mute"}
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := &lockedRand{rng: rand.New(rand.NewPCG(seed, 1))}
				pick := func() string { return states[rng.IntN(len(states))] }
				n := newNetwork(pick(), pick())
				answer := n.answer
				n.answer = func(p packet) {
					switch k := rng.IntN(6); {
					case p.network == "udp" && k == 0: // TC=1
						p.send(replyTo(p.msg, func(m *dns.Msg) { m.Truncated = true }))
					case k == 1: // EDNS is rejected
						p.send(replyTo(p.msg, func(m *dns.Msg) { m.Rcode = dns.RcodeFormatError; m.Extra = nil }))
					case k == 2: // cut off
						p.send(replyTo(p.msg, good)[:20])
					default:
						answer(p)
					}
				}
				u := n.upstream(t)
				m := new(dns.Msg).SetQuestion("host.example.", dns.TypeA)
				m.SetEdns0(MaxUDPSize, false)
				b, _ := m.Pack()
				var all []*outcome
				for range 10 {
					o := newOutcome()
					x, next := u.Ask(&Query{Msg: b, Stream: rng.IntN(2) == 0, UDPSize: 4096}, o)
					all = append(all, o)
					inVain := 0 // calls at one moment
					for range 40 {
						switch rng.IntN(12) {
						case 0:
							n.set(pick(), pick())
						case 1:
							u.Link(uint32(rng.IntN(2)), []link.State{link.Bound, link.Unbound, link.Gone}[rng.IntN(3)])
						}
						wait := time.Duration(rng.IntN(400)) * ms
						if rng.IntN(2) == 0 && !next.IsZero() {
							wait = instant.Until(next)
						}
						time.Sleep(wait)
						now := instant.Now()
						if next = x.Retry(now); next == now {
							inVain++
						} else {
							inVain = 0
						}
						if !next.IsZero() && next.Before(now) || inVain > 3 {
							t.Fatalf("called at %v, it wants to be called %v before", now.Sub(instant.Of(o.start)), now.Sub(next))
						}
						if o.Waiting() == false {
							break
						}
					}
				}
				u.Link(0, link.Bound)
				n.set("open", "open")
				n.script(answerAfter(ms, nil))
				time.Sleep(testTimeout)
				if o := ask(u, query("host.example.")); !o.good() {
					t.Errorf("in the end: good %v after %v: %v", o.good(), o.after, o.err)
				}
				for _, o := range all {
					o.waitNoMore()
				}
			})
		})
	}
}

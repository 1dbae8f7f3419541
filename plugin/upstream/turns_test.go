package upstream

import (
	"encoding/binary"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/link"
)

// form is one of many forms of one question.
func form(n int) *Query {
	m := new(dns.Msg).SetQuestion("bank.example.", dns.TypeA)
	m.SetEdns0(MaxUDPSize, false)
	m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_LOCAL{Code: 65001, Data: binary.BigEndian.AppendUint32(nil, uint32(n))})
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return &Query{Msg: b}
}

// overUDPOf counts the exchanges that a reply over UDP to this question may end.
func overUDPOf(u *Upstream, msg []byte) int {
	same := make(map[*Exchange]bool)
	for p := range u.tablesLocked() {
		for _, x := range p.All() {
			if x.phase.hearsUDP() && x.udp.packets > 0 && x.question == (&Query{Msg: msg}).questionCount() {
				same[x] = true
			}
		}
	}
	return len(same)
}

// R11: of exchanges that ask the same, in whatever form, only a few are under way over UDP at a
// time, so that a client cannot offer a forger many ids. The others go over a stream, or wait
// for their turn; all are answered, and other questions are not held up.
func TestR11FewOfOneQuestion(t *testing.T) {
	for _, tcp := range []string{"open", "refused", "dropped"} {
		t.Run("TCP "+tcp, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork("open", tcp)
				var u *Upstream
				most := 0
				n.answer = func(p packet) {
					if p.network == "udp" {
						u.mu.Lock()
						most = max(most, overUDPOf(u, p.msg))
						u.mu.Unlock()
					}
					answerAfter(10*ms, nil)(p)
				}
				u = n.upstream(t)
				var all, others []*outcome
				for i := range 1000 {
					all = append(all, pendingAsk(u, form(i)))
				}
				for i := range 100 {
					others = append(others, pendingAsk(u, query(fmt.Sprintf("host%d.example.", i))))
				}
				time.Sleep(testTimeout)
				synctest.Wait()
				lost, down := 0, 0
				for _, o := range all {
					if !o.good() {
						lost++
					}
					if o.toldDown {
						down++
					}
				}
				if lost+down > 0 || most > maxSame {
					t.Errorf("of %d forms %d had no answer, %d were told that the upstream is down; %d were under way over UDP", len(all), lost, down, most)
				}
				late := 0
				for _, o := range others {
					if !o.good() || o.after > 11*ms {
						late++
					}
				}
				if late > 3 { // some may share a count
					t.Errorf("%d other questions were held up", late)
				}
				u.mu.Lock()
				defer u.mu.Unlock()
				for i, k := range u.turns.counts {
					if k > 0 {
						t.Errorf("count %d is %d in the end", i, k)
					}
				}
				if len(u.turns.waiting) > 0 {
					t.Errorf("%d questions are waited for in the end", len(u.turns.waiting))
				}
			})
		})
	}
}

// Whatever becomes of exchanges, in the end none is counted: races that are over, a silent
// upstream, a link that goes.
func TestTurnsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("dropped", "dropped")
		u := n.upstream(t)
		u.Link(1, link.Bound)
		for round := range 5 {
			var all []*outcome
			for i := range 20 {
				o := newOutcome()
				x, _ := u.Ask(form(round*100+i), o)
				all = append(all, o)
				if i%3 == 0 {
					x.Release()
				}
			}
			if round == 2 {
				u.Link(0, link.Gone)
				time.Sleep(time.Second)
				u.Link(3, link.Bound)
			}
			time.Sleep(time.Second)
			for _, o := range all {
				o.waitNoMore()
			}
		}
		time.Sleep(3 * testTimeout)
		u.mu.Lock()
		defer u.mu.Unlock()
		for i, k := range u.turns.counts {
			if k > 0 {
				t.Errorf("count %d is %d in the end", i, k)
			}
		}
	})
}

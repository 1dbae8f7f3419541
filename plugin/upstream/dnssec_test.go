package upstream

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// signedQuery asks with DO, or without.
func signedQuery(name string, qtype uint16, do bool) *Query {
	m := new(dns.Msg).SetQuestion(name, qtype)
	m.SetEdns0(1232, do)
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return &Query{Msg: b}
}

var rrsig = func() dns.RR {
	rr, err := dns.NewRR("host.example. 60 IN RRSIG A 13 2 60 20300101000000 20200101000000 1 example. AAAA")
	if err != nil {
		panic(err)
	}
	return rr
}()

// signing answers, and signs that if it may.
func signing(m, q *dns.Msg) {
	good(m)
	if opt := q.IsEdns0(); opt != nil {
		m.SetEdns0(1232, opt.Do())
		if opt.Do() {
			m.Answer = append(m.Answer, rrsig)
		}
	}
}

// R19: what an upstream did shows that it does DNSSEC: a signed reply to a query with DO,
// for an hour; also one that comes late.
func TestR19Known(t *testing.T) {
	for what, tc := range map[string]struct {
		qtype uint16
		do    bool
		after time.Duration
		says  func(m, q *dns.Msg)
		want  bool
	}{
		"a signed answer":            {dns.TypeA, true, 0, signing, true},
		"a late one":                 {dns.TypeA, true, 1500 * time.Millisecond, signing, true},
		"a signed denial":            {dns.TypeA, true, 0, func(m, q *dns.Msg) { m.Rcode = dns.RcodeNameError; m.Ns = []dns.RR{rrsig}; m.SetEdns0(1232, true) }, true},
		"an answer":                  {dns.TypeA, true, 0, func(m, q *dns.Msg) { good(m); m.SetEdns0(1232, true) }, false},
		"nobody asked":               {dns.TypeA, false, 0, func(m, q *dns.Msg) { good(m); m.Answer = append(m.Answer, rrsig); m.SetEdns0(1232, false) }, false},
		"signatures asked for":       {dns.TypeRRSIG, true, 0, signing, false},
		"everything asked for":       {dns.TypeANY, true, 0, signing, false},
		"a signature that is beside": {dns.TypeA, true, 0, func(m, q *dns.Msg) { good(m); m.SetEdns0(1232, true); m.Extra = append(m.Extra, rrsig) }, false},
	} {
		for _, tcp := range []bool{false, true} {
			t.Run(what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFake(func(p packet) {
						m := new(dns.Msg)
						if err := m.Unpack(p.msg); err != nil {
							t.Error(err)
						}
						time.AfterFunc(tc.after, func() { p.send(replyTo(p.msg, func(r *dns.Msg) { tc.says(r, m) })) })
					})
					u := f.upstream(t, func(c *Config) { c.ForceTCP = tcp })
					q := signedQuery("host.example.", tc.qtype, tc.do)
					o := newOutcome()
					if tc.do { // as who asks for signatures
						u.Signs(q)
					}
					u.Ask(q, o)
					if tc.after > 0 {
						o.waitNoMore()
					}
					time.Sleep(tc.after + time.Second)
					if known, worth := u.Signs(q); known != tc.want || known && worth > 400*ms {
						t.Errorf("known %v, worth %v", known, worth)
					}
					time.Sleep(time.Hour)
					if known, _ := u.Signs(q); known {
						t.Error("it is known for ever")
					}
				})
			})
		}
	}
}

// R19: an upstream that is asked without EDNS is not waited for; one that has come back may
// be another.
func TestR19WorthOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nil)
		u := f.upstream(t)
		q := signedQuery("host.example.", dns.TypeA, true)
		for range 4 { // so often it counts as one that signs
			u.Signs(q)
		}
		time.Sleep(time.Second)
		if _, worth := u.Signs(q); worth != 0 {
			t.Errorf("worth %v", worth)
		}
		u.mu.Lock()
		u.known.Down = true
		u.heardLocked(true, instant.Now(), new(outbox))
		u.mu.Unlock()
		if _, worth := u.Signs(q); worth != 250*ms {
			t.Errorf("back again: worth %v", worth)
		}
		u.mu.Lock()
		u.known.EDNS.AskedAgain(dns.RcodeFormatError, dns.RcodeSuccess, instant.Now())
		u.known.DNSSEC.Show(instant.Now())
		u.mu.Unlock()
		if known, worth := u.Signs(q); known || worth != 0 {
			t.Errorf("asked without EDNS: known %v, worth %v", known, worth)
		}
	})
}

// A suspect reply is handed on, and so is the one that follows it; both are counted as
// one, and nothing more is sent.
func TestSuspect(t *testing.T) {
	for _, follows := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(func(p packet) {
				p.send(replyTo(p.msg, func(m *dns.Msg) { good(m); m.AuthenticatedData = true }))
				time.AfterFunc(10*time.Millisecond, func() {
					p.send(replyTo(p.msg, func(m *dns.Msg) { good(m); m.AuthenticatedData = true }))
				})
				if follows {
					time.AfterFunc(20*time.Millisecond, func() { p.send(replyTo(p.msg, good)) })
					time.AfterFunc(30*time.Millisecond, func() { p.send(replyTo(p.msg, good)) }) // which is not taken
				}
			})
			u := f.upstream(t, func(c *Config) {
				c.Suspect = func(reply []byte) bool { return reply[3]&0x20 != 0 } // AD
			})
			got := &replies{}
			x, _ := u.Ask(query("host.example."), got)
			time.Sleep(time.Second)
			got.mu.Lock()
			got.over = true
			got.mu.Unlock()
			time.Sleep(time.Minute)
			want := 2
			if follows {
				want = 3
			}
			got.mu.Lock()
			defer got.mu.Unlock()
			if n := len(got.list); n != want || follows && got.list[n-1][3]&0x20 != 0 {
				t.Errorf("%d replies", n)
			}
			if packets, _ := f.sent(); packets != 1 {
				t.Errorf("%d packets", packets)
			}
			u.mu.Lock()
			for table := range u.tablesLocked() {
				if table.Len() > 0 {
					t.Errorf("%d exchanges are left", table.Len())
				}
			}
			if len(u.known.Types) > 0 || x == nil {
				t.Error("it is taken for unresponsive")
			}
			u.mu.Unlock()
		})
	}
}

// replies is a Receiver that keeps all that it gets.
type replies struct {
	nobody
	mu   sync.Mutex
	list [][]byte
	over bool
}

func (r *replies) Reply(msg []byte, _ instant.Time, _ bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, msg)
}

func (r *replies) Waiting() bool { r.mu.Lock(); defer r.mu.Unlock(); return !r.over }

package pool

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// town is a network in virtual time, with resolvers that reply each after its delay.
type town struct {
	t    *testing.T
	pool *Pool
	mu   sync.Mutex
	all  []*simple
	seen map[string][]int // by name: who was asked for it
}

func (n *town) addr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}), 53)
}

func newTown(t *testing.T, all []*simple, change ...func(*Config)) *town {
	n := &town{t: t, all: all, seen: make(map[string][]int)}
	c := Config{Values: option.Default(), Ports: ports.Over(func(_ bool, received udp.Receiver) (udp.Conn, error) { return &townConn{n, received}, nil })}
	for _, f := range change {
		f(&c)
	}
	n.pool = New(c)
	var servers []server.Server
	for i := range all {
		servers = append(servers, server.Plain(n.addr(i)))
	}
	n.pool.Replace(servers)
	return n
}

type townConn struct {
	town     *town
	received udp.Receiver
}

func (c *townConn) Drops() uint64 { return 0 }
func (c *townConn) Close()        {}

func (c *townConn) Send(packets []udp.Packet) {
	for _, p := range packets {
		q := new(dns.Msg)
		if err := q.Unpack(p.Msg); err != nil {
			panic(err)
		}
		i := int(p.Peer.Addr.Addr().As4()[3]) - 1
		name := strings.ToLower(q.Question[0].Name)
		c.town.mu.Lock()
		if !slices.Contains(c.town.seen[name], i) {
			c.town.seen[name] = append(c.town.seen[name], i)
		}
		r := *c.town.all[i]
		c.town.mu.Unlock()
		if r.down {
			continue
		}
		var msg []byte
		switch says := r.says(name, q.Question[0].Qtype); says {
		case "":
			continue
		case "NODATA":
			msg = replyTo(p.Msg, dns.RcodeSuccess, "")
		case "NXDOMAIN":
			msg = replyTo(p.Msg, dns.RcodeNameError, "")
		case "SERVFAIL":
			msg = replyTo(p.Msg, dns.RcodeServerFailure, "")
		default:
			msg = replyTo(p.Msg, dns.RcodeSuccess, says)
		}
		peer := p.Peer
		time.AfterFunc(r.delay, func() { c.received([]udp.Packet{{Peer: peer, Msg: msg}}) })
	}
}

// asked returns who was asked for a name.
func (n *town) asked(name string) []int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Sorted(slices.Values(n.seen[name]))
}

// reached is what came of a question.
type reached struct {
	*Result
	took time.Duration
}

// look has types of a name looked up at once, as clients do.
func (n *town) look(name string, qtypes ...uint16) (all []reached) {
	all = make([]reached, len(qtypes))
	var wait sync.WaitGroup
	for i, qtype := range qtypes {
		wait.Go(func() {
			begun := time.Now()
			res, _ := n.pool.Ask(&query{msg: pack(n.t, name, qtype)}, nil)
			all[i] = reached{res, time.Since(begun)}
		})
	}
	wait.Wait()
	return all
}

// ipv4Only answers all names with an IPv4 address, and nothing else.
func ipv4Only(name string, qtype uint16) string {
	if qtype != dns.TypeA || name == "ipv4only.arpa." {
		return "NODATA"
	}
	return "192.0.2.1"
}

func (n *town) end() {
	time.Sleep(10 * time.Second)
	n.pool.Close()
	time.Sleep(10 * time.Second)
}

// R4: NODATA of an upstream that has the name does not wait for one that takes long, whether
// the name's answer comes before, beside or after it, and it counts as all others.
func TestR4NoDataIsFinal(t *testing.T) {
	for what, change := range map[string]func(*Config){
		"plain": func(*Config) {}, "learn": func(c *Config) { c.Learn = time.Minute },
		"prefer": func(c *Config) { c.Prefer = option.Order }, "both": func(c *Config) { c.Prefer, c.Learn = option.Private, time.Minute },
	} {
		synctest.Test(t, func(t *testing.T) {
			fast := func(name string, qtype uint16) string {
				if strings.HasPrefix(name, "v6") && qtype <= dns.TypeAAAA {
					return map[uint16]string{dns.TypeA: "NODATA", dns.TypeAAAA: "2001:db8::1"}[qtype]
				}
				return ipv4Only(name, qtype)
			}
			vpn := &simple{delay: 900 * ms, says: always("NXDOMAIN")}
			n := newTown(t, []*simple{{delay: 4 * ms, says: fast}, {delay: 30 * ms, says: fast}, vpn}, change)
			check := func(when string, r reached, verdict race.Verdict, most time.Duration) {
				t.Helper()
				if r.Verdict != verdict || r.took > most || !r.Conclusive() {
					t.Errorf("%s, %s: %v after %v, conclusive %v", what, when, r.Verdict, r.took, r.Conclusive())
				}
			}
			n.look("first.example.", dns.TypeA, dns.TypeAAAA)
			time.Sleep(3 * time.Second)
			for i := range 5 {
				for j, r := range n.look(fmt.Sprintf("new%d.example.", i), dns.TypeAAAA, dns.TypeHTTPS, dns.TypeA) {
					check(fmt.Sprintf("at once, type %d", j), r, []race.Verdict{race.NoDataSOA, race.NoDataSOA, race.Good}[j], 100*ms)
				}
				time.Sleep(3 * time.Second)
			}
			for j, r := range n.look("v6.example.", dns.TypeA, dns.TypeAAAA) {
				check(fmt.Sprintf("an IPv6 name, type %d", j), r, []race.Verdict{race.NoDataSOA, race.Good}[j], 100*ms)
			}
			time.Sleep(3 * time.Second)
			n.look("later.example.", dns.TypeA)
			time.Sleep(30 * time.Second)
			check("within the answer's life", n.look("later.example.", dns.TypeAAAA)[0], race.NoDataSOA, 100*ms)
			time.Sleep(40 * time.Second)
			check("after it", n.look("later.example.", dns.TypeHTTPS)[0], race.NoDataSOA, 1500*ms)
			if r := n.look("alone.example.", dns.TypeAAAA)[0]; r.took < 900*ms || r.Verdict != race.NoDataSOA {
				t.Errorf("%s, a name without an answer: %v after %v", what, r.Verdict, r.took)
			}
			time.Sleep(3 * time.Second)
			signed := &query{msg: pack(t, "signed.example.", dns.TypeAAAA)}
			signed.msg = askFor(t, "signed.example.", dns.TypeAAAA, true).msg
			n.look("signed.example.", dns.TypeA)
			begun := time.Now()
			if res, _ := n.pool.Ask(signed, nil); time.Since(begun) < 900*ms || res.Verdict != race.NoDataSOA {
				t.Errorf("%s, for one that validates: %v after %v", what, res.Verdict, time.Since(begun))
			}
			n.end()
		})
	}
}

// R4: another upstream may have the record after all. It is waited for as long as it usually
// takes, and if it may make it, to the end.
func TestR4NoDataWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		both := func(name string, qtype uint16) string {
			if qtype == dns.TypeAAAA && name != "ipv4only.arpa." {
				return "2001:db8::1"
			}
			return ipv4Only(name, qtype)
		}
		n := newTown(t, []*simple{{delay: 4 * ms, says: ipv4Only}, {delay: 40 * ms, says: both}, {delay: 2 * time.Second, says: always("NXDOMAIN")}})
		for i := range 10 {
			r := n.look(fmt.Sprintf("new%d.example.", i), dns.TypeA, dns.TypeAAAA)
			if r[1].Verdict != race.Good || r[1].took > 41*ms {
				t.Errorf("name %d: %v after %v", i, r[1].Verdict, r[1].took)
			}
			time.Sleep(3 * time.Second)
		}
		n.end()
	})
}

// R4: NODATA of a plain resolver does not hide the addresses that another one makes (RFC 6147),
// however long that takes, from the first question on and when it returns; and who does so is
// asked once, by a name that has no other use.
func TestR4DNS64(t *testing.T) {
	for what, change := range map[string]func(*Config){"plain": func(*Config) {}, "learn": func(c *Config) { c.Learn = time.Minute }} {
		synctest.Test(t, func(t *testing.T) {
			makes := &simple{delay: 700 * ms, says: func(name string, qtype uint16) string {
				if qtype == dns.TypeAAAA {
					return "64:ff9b::c000:201"
				}
				return ipv4Only(name, qtype)
			}}
			n := newTown(t, []*simple{{delay: 4 * ms, says: ipv4Only}, makes, {delay: 20 * ms, says: ipv4Only}}, change)
			want := func(when string, verdict race.Verdict) {
				t.Helper()
				for i := range 5 {
					name := strings.ReplaceAll(fmt.Sprintf("%s%d.example.", when, i), " ", "-")
					r := n.look(name, dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS)
					if r[1].Verdict != verdict {
						t.Errorf("%s, %s, name %d: %v after %v", what, when, i, r[1].Verdict, r[1].took)
					}
					if r[2].took > 100*ms && i > 0 {
						t.Errorf("%s, %s, name %d: HTTPS after %v", what, when, i, r[2].took)
					}
					time.Sleep(3 * time.Second)
				}
			}
			want("at first", race.Good)
			if r := n.look("ipv4only.arpa.", dns.TypeA, dns.TypeAAAA); r[1].Verdict != race.Good {
				t.Errorf("%s: ipv4only.arpa: %v", what, r[1].Verdict)
			}
			n.mu.Lock()
			makes.down = true
			n.mu.Unlock()
			go n.look("down.example.", dns.TypeA, dns.TypeAAAA)
			time.Sleep(5 * time.Second)
			want("away", race.NoDataSOA)
			n.mu.Lock()
			makes.down = false
			n.mu.Unlock()
			time.Sleep(3 * time.Second)
			want("back", race.Good)
			n.end()
		})
	}
}

// R4, R16: a company's names are shown to others no more when all types of them are asked for
// at once than when one is: one of 50, and the first.
func TestR16NoDataShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside := func(name string, qtype uint16) string {
			if qtype == dns.TypeA && strings.HasSuffix(name, ".corp.example.") {
				return "10.0.0.1"
			}
			return map[bool]string{true: "NODATA", false: "NXDOMAIN"}[strings.HasSuffix(name, ".corp.example.")]
		}
		queries := 0
		n := newTown(t, []*simple{{delay: 4 * ms, says: always("NXDOMAIN")}, {delay: 10 * ms, says: inside}, {delay: 900 * ms, says: always("NXDOMAIN")}},
			func(c *Config) { c.Learn = time.Minute })
		const names = 300
		slow, shown := 0, 0
		for i := range names {
			name := fmt.Sprintf("host%d.corp.example.", i)
			types := []uint16{dns.TypeHTTPS, dns.TypeAAAA, dns.TypeA}
			for j := range types[:i%3] { // in any order
				types[j], types[2] = types[2], types[j]
			}
			for _, r := range n.look(name, types...) {
				if r.Verdict != race.Good && r.Verdict != race.NoDataSOA || r.Proven {
					t.Errorf("%s: %v", name, r.Verdict)
				}
				if r.took > 150*ms {
					slow++
				}
				queries += len(r.Members) - r.Unasked
			}
			if asked := n.asked(name); !slices.Contains(asked, 1) || len(asked) > 1 {
				shown++
			}
			time.Sleep(500 * ms)
		}
		t.Logf("%d of %d names shown to others, %.2f queries a question, %d questions took long", shown, names, float64(queries)/3/names, slow)
		if shown > 2*names/100+1 || slow > 1 || float64(queries) > 1.2*3*names {
			t.Error("too many")
		}
		n.end()
	})
}

// R4, R16: a company's names, of which all types are asked for at once, are not shown to one that
// lies: be it that it answers otherwise, so that answers in the zone are known to differ, that it
// claims to make IPv6 addresses, or both; with one resolver of the company, or two.
func TestR16LiarTypes(t *testing.T) {
	const zone = "corp.example."
	dns64 := func(name string, qtype uint16) string {
		if qtype == dns.TypeAAAA {
			return "64:ff9b::606:606"
		}
		return liar(name, qtype)
	}
	only64 := func(name string, qtype uint16) string {
		if name == "ipv4only.arpa." {
			return dns64(name, qtype)
		}
		return "NXDOMAIN"
	}
	for what, lie := range map[string]func(string, uint16) string{"answers all": liar, "makes addresses": dns64, "claims to make them": only64, "has private addresses": lies("10.66.6.6")} {
		for change, options := range map[string]func(*Config){
			"learn": func(*Config) {}, "prefer order": func(c *Config) { c.Prefer = option.Order }, "prefer private": func(c *Config) { c.Prefer = option.Private },
		} {
			for _, two := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					all := []*simple{{delay: 10 * ms, says: corp}, {delay: 60 * ms, says: lie}, {delay: 4 * ms, says: public}}
					if two {
						all = append(all, &simple{delay: 12 * ms, says: corp})
					}
					n := newTown(t, all, func(c *Config) { c.Learn = 10 * time.Minute; options(c) })
					shown, won := 0, 0
					look := func(first, count int) {
						for i := range count {
							name := fmt.Sprintf("host%d.%s", first+i, zone)
							for _, r := range n.look(name, dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS) {
								if r.Leg == liarIs {
									won++
								}
							}
							if slices.Contains(n.asked(name), liarIs) {
								shown++
							}
							time.Sleep(2 * time.Second)
						}
					}
					look(1000, 120)
					for i := range 6 {
						n.look(fmt.Sprintf("made-up%d.%s", i, zone), dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS)
					}
					shown, won = 0, 0
					look(0, 60)
					if shown > 3 || won > 3 {
						t.Errorf("it %s, %s, two %v: of 60 names it was shown %d, and answered %d questions", what, change, two, shown, won)
					}
					n.end()
				})
			}
		}
	}
}

// R4, R17: where answers are known to differ, NODATA waits for all that are up.
func TestR4NoDataDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside := func(name string, qtype uint16) string {
			return map[uint16]string{dns.TypeA: "10.0.0.1", dns.TypeAAAA: "fd00::1"}[qtype]
		}
		n := newTown(t, []*simple{{delay: 4 * ms, says: ipv4Only}, {delay: 400 * ms, says: inside}}, func(c *Config) { c.Learn = time.Minute })
		n.look("first.split.example.", dns.TypeA, dns.TypeAAAA)
		time.Sleep(3 * time.Second)
		for i := range 3 {
			if r := n.look(fmt.Sprintf("new%d.split.example.", i), dns.TypeA, dns.TypeAAAA); r[1].Verdict != race.Good {
				t.Errorf("name %d: %v after %v", i, r[1].Verdict, r[1].took)
			}
			time.Sleep(3 * time.Second)
		}
		n.end()
	})
}

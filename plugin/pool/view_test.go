package pool

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// network is one in virtual time: from each address somebody replies, after a while.
type network map[netip.AddrPort]func(q *dns.Msg) (reply *dns.Msg, after time.Duration)

func (n network) Listen(_ bool, received udp.Receiver) (udp.Conn, error) {
	return &networkConn{n, received}, nil
}

type networkConn struct {
	network
	received udp.Receiver
}

func (c *networkConn) Send(packets []udp.Packet) {
	for _, p := range packets {
		q := new(dns.Msg)
		if err := q.Unpack(p.Msg); err != nil {
			panic(err)
		}
		m, after := c.network[p.Peer.Addr](q)
		if m == nil {
			continue
		}
		msg, err := m.Pack()
		if err != nil {
			panic(err)
		}
		time.AfterFunc(after, func() { c.received([]udp.Packet{{Peer: p.Peer, Msg: msg}}) })
	}
}

func (c *networkConn) Drops() uint64 { return 0 }
func (c *networkConn) Close()        {}

// says is somebody who knows the records of some types, written as their data, for all names
// below a zone, and may have an SOA for the others; names elsewhere do not exist.
func says(zone string, withSOA bool, after time.Duration, records map[uint16]string) func(q *dns.Msg) (*dns.Msg, time.Duration) {
	return func(q *dns.Msg) (*dns.Msg, time.Duration) {
		name, qtype := q.Question[0].Name, q.Question[0].Qtype
		m := new(dns.Msg).SetReply(q)
		m.RecursionAvailable = true
		rr := func(owner, text string) dns.RR {
			r, err := dns.NewRR(owner + " 60 IN " + text)
			if err != nil {
				panic(err)
			}
			return r
		}
		data, knows := records[qtype]
		switch {
		case !strings.HasSuffix(name, zone):
			m.Rcode = dns.RcodeNameError
			m.Ns = []dns.RR{rr("example.", "SOA ns.example. mail.example. 1 2 3 4 30")}
		case !knows && withSOA:
			m.Ns = []dns.RR{rr("example.", "SOA ns.example. mail.example. 1 2 3 4 30")}
		case !knows:
		default:
			m.Answer = []dns.RR{rr(name, dns.Type(qtype).String()+" "+data)}
		}
		return m, after
	}
}

// R17: the types of one name that are asked for within a moment come from one view, whatever
// the order, also when nothing is known of the zone yet; and so do those that are asked later.
func TestR17OneView(t *testing.T) {
	outside := map[uint16]string{dns.TypeA: "192.0.2.1", dns.TypeAAAA: "2001:db8::1", dns.TypeHTTPS: "1 . alpn=h3 ipv4hint=192.0.2.1"}
	inside := map[uint16]string{dns.TypeA: "10.1.0.10"}
	all := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS}
	publicAddr, vpnAddr := netip.MustParseAddrPort("192.0.2.53:53"), netip.MustParseAddrPort("10.8.0.53:53")
	for _, prefer := range []option.Preference{option.Private, option.Order} {
		for _, learn := range []time.Duration{0, 10 * time.Minute} {
			for _, order := range [][]uint16{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}} {
				for apart, withSOA := range map[time.Duration]bool{0: true, ms: false, 3 * ms: true, 4 * ms: false} {
					t.Run(fmt.Sprintf("prefer %d, learn %v, %v, %v apart, SOA %v", prefer, learn, order, apart, withSOA), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							n := network{
								publicAddr: says("example.", true, 8*ms, outside),
								vpnAddr:    says("corp.example.", withSOA, 60*ms, inside),
							}
							v := option.Default()
							v.Prefer, v.Learn = prefer, learn
							p := New(Config{Values: v, Ports: ports.Over(n.Listen)})
							servers := []server.Server{server.Plain(publicAddr), server.Plain(vpnAddr)}
							vpn := 1
							if prefer == option.Order {
								servers[0], servers[1], vpn = servers[1], servers[0], 0
							}
							p.Replace(servers)
							defer p.Close()
							for visit := range 4 {
								var clients sync.WaitGroup
								for _, i := range order {
									qtype := all[i]
									q := askFor(t, fmt.Sprintf("www%d.corp.example.", visit/2), qtype, false)
									clients.Go(func() {
										start := time.Now()
										res, _ := p.Ask(q, nil)
										if took := time.Since(start); res.Leg != vpn || took > maxBetter {
											t.Errorf("visit %d: %s is of %d, %v, after %v", visit, dns.Type(qtype), res.Leg, res.Verdict, took)
										}
									})
									time.Sleep(apart)
								}
								clients.Wait()
								time.Sleep(time.Second)
							}
							// What the VPN does not know is no longer waited for, once that is known.
							for i := range 3 {
								start := time.Now()
								res, _ := p.Ask(askFor(t, fmt.Sprintf("www%d.example.", i), dns.TypeA, false), nil)
								if took := time.Since(start); res.Leg == vpn || i > 0 && took > 10*ms {
									t.Errorf("a public name, %d: of %d after %v", i, res.Leg, took)
								}
								time.Sleep(time.Second)
							}
							time.Sleep(10 * time.Second)
						})
					})
				}
			}
		}
	}
}

// R17: so it is if the better view has another type only; and if it has neither, nobody waits
// for the other for long.
func TestR17OneViewOfSome(t *testing.T) {
	outside := map[uint16]string{dns.TypeA: "192.0.2.1", dns.TypeAAAA: "2001:db8::1", dns.TypeHTTPS: "1 . alpn=h3"}
	publicAddr, vpnAddr := netip.MustParseAddrPort("192.0.2.53:53"), netip.MustParseAddrPort("10.8.0.53:53")
	for what, inside := range map[string]map[uint16]string{"AAAA": {dns.TypeAAAA: "fd00::10"}, "neither": {dns.TypeTXT: "x"}} {
		for _, order := range [][]uint16{{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS}, {dns.TypeHTTPS, dns.TypeAAAA, dns.TypeA}, {dns.TypeAAAA, dns.TypeA}} {
			for _, apart := range []time.Duration{0, 3 * ms} {
				t.Run(fmt.Sprintf("%s, %v, %v apart", what, order, apart), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						n := network{publicAddr: says("example.", true, 8*ms, outside), vpnAddr: says("corp.example.", true, 60*ms, inside)}
						v := option.Default()
						v.Prefer = option.Private
						p := New(Config{Values: v, Ports: ports.Over(n.Listen)})
						p.Replace([]server.Server{server.Plain(publicAddr), server.Plain(vpnAddr)})
						defer p.Close()
						want := map[string]int{"AAAA": 1, "neither": 0}[what]
						var clients sync.WaitGroup
						for _, qtype := range order {
							q := askFor(t, "www.corp.example.", qtype, false)
							clients.Go(func() {
								start := time.Now()
								res, _ := p.Ask(q, nil)
								if took := time.Since(start); res.Leg != want || took > 70*ms {
									t.Errorf("%s is of %d, %v, after %v", dns.Type(qtype), res.Leg, res.Verdict, took)
								}
							})
							time.Sleep(apart)
						}
						clients.Wait()
						time.Sleep(10 * time.Second)
					})
				})
			}
		}
	}
}

// R2: without prefer no answer waits for another, nor one type for another.
func TestR2NoView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		publicAddr, vpnAddr := netip.MustParseAddrPort("192.0.2.53:53"), netip.MustParseAddrPort("10.8.0.53:53")
		n := network{
			publicAddr: says("example.", true, 8*ms, map[uint16]string{dns.TypeA: "192.0.2.1", dns.TypeAAAA: "2001:db8::1"}),
			vpnAddr:    says("corp.example.", true, 60*ms, map[uint16]string{dns.TypeA: "10.1.0.10"}),
		}
		p := New(Config{Values: option.Default(), Ports: ports.Over(n.Listen)})
		p.Replace([]server.Server{server.Plain(publicAddr), server.Plain(vpnAddr)})
		defer p.Close()
		for i := range 3 {
			for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
				start := time.Now()
				if res, _ := p.Ask(askFor(t, fmt.Sprintf("www%d.corp.example.", i), qtype, false), nil); res.Leg != 0 || time.Since(start) > 10*ms {
					t.Errorf("%s is of %d, after %v", dns.Type(qtype), res.Leg, time.Since(start))
				}
			}
		}
		time.Sleep(10 * time.Second)
	})
}

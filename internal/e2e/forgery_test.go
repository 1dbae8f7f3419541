//go:build linux

package e2e

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// besieged is a resolver beside whose replies forged ones come: those of attack, which has
// the query and where it came from, before the true one.
type besieged struct {
	conn   *net.UDPConn
	all    sync.WaitGroup // attacks
	attack func(b *besieged, query []byte, from *net.UDPAddr)
}

// besiege runs one on an address of the lab's, over UDP alone.
func (l *lab) besiege(addr string) *besieged {
	b := new(besieged)
	l.inside(func() {
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
		if err != nil {
			l.Fatal(err)
		}
		b.conn = conn
		l.Cleanup(func() { conn.Close() })
	})
	go func() {
		for {
			buf := make([]byte, 4096)
			n, from, err := b.conn.ReadFromUDP(buf)
			if err != nil {
				return
			}
			b.all.Go(func() {
				b.attack(b, buf[:n], from)
				for range 10 { // the queue of a server that gets no processor time drops it
					b.send(answer(buf[:n], "192.0.2.1"), from)
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
	}()
	return b
}

func (b *besieged) send(msg []byte, to *net.UDPAddr) { b.conn.WriteToUDP(msg, to) }

// answer is a reply to a query, with an address.
func answer(query []byte, addr string) []byte {
	q := new(dns.Msg)
	if q.Unpack(query) != nil {
		return nil
	}
	m := new(dns.Msg).SetReply(q)
	m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.ParseIP(addr)}}
	b, _ := m.Pack()
	return b
}

// withID is the message with another id.
func withID(msg []byte, id uint16) []byte {
	binary.BigEndian.PutUint16(msg, id)
	return msg
}

// Forged replies that an attacker sends who knows the port, beside a resolver that denies all
// names at once and where TCP is closed: the true reply, which comes when the attack is over,
// is what the client gets, and never a forged one or a denial.
func TestForgedReplies(t *testing.T) {
	l := newLab(t)
	b := l.besiege("127.0.0.31:53")
	l.fake("127.0.0.32", func(w dns.ResponseWriter, q *dns.Msg) { w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeNameError)) })
	b.attack = func(*besieged, []byte, *net.UDPAddr) {}
	l.coredns(".:53 {\n bind 127.0.0.123\n dnsmus 127.0.0.31 127.0.0.32 {\n timeout 1m\n patience 1m\n }\n errors\n}\n").awaits("@127.0.0.123 ready.example")

	wrongIDs := func(n int) func(*besieged, []byte, *net.UDPAddr) {
		return func(b *besieged, query []byte, from *net.UDPAddr) {
			id := binary.BigEndian.Uint16(query)
			for i := range n {
				b.send(withID(answer(query, "203.0.113.66"), id+1+uint16(i)), from)
			}
			time.Sleep(100 * time.Millisecond) // so that they are dealt with
		}
	}
	withoutQuestion := func(rcode byte) func(*besieged, []byte, *net.UDPAddr) {
		var once sync.Once // and not again when the query is sent again: it takes long on a busy machine
		return func(b *besieged, query []byte, from *net.UDPAddr) {
			once.Do(func() {
				msg := make([]byte, 12)
				msg[2], msg[3] = 0x80, 0x80|rcode
				for id := range 1 << 16 {
					b.send(withID(msg, uint16(id)), from)
					if id%200 == 199 { // a queue holds some hundred
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
	}
	for i, tc := range []struct {
		what   string
		attack func(*besieged, []byte, *net.UDPAddr)
	}{
		{"one wrong id", wrongIDs(1)},
		{"two wrong ids", wrongIDs(2)},
		{"three wrong ids", wrongIDs(3)},
		{"ten wrong ids", wrongIDs(10)},
		{"NXDOMAIN without a question, all ids", withoutQuestion(dns.RcodeNameError)},
		{"SERVFAIL without a question, all ids", withoutQuestion(dns.RcodeServerFailure)},
		{"ICMP: port unreachable, of which 8 bytes are quoted", l.unreachable(b, 3)},
		{"ICMP: host unreachable, of which 8 bytes are quoted", l.unreachable(b, 1)},
	} {
		t.Run(tc.what, func(t *testing.T) {
			b.attack = tc.attack
			l.in(t).expect(fmt.Sprintf("+time=90 @127.0.0.123 name%d.example", i), "NOERROR 192.0.2.1")
		})
	}
}

// unreachable is an attack by forged ICMP errors about packets to the resolver, from the port
// that is known.
func (l *lab) unreachable(b *besieged, code byte) func(*besieged, []byte, *net.UDPAddr) {
	var fd int
	l.inside(func() {
		var err error
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW); err != nil {
			l.Fatal(err)
		}
	})
	l.Cleanup(func() { b.all.Wait(); unix.Close(fd) })
	return func(_ *besieged, query []byte, from *net.UDPAddr) {
		resolver := b.conn.LocalAddr().(*net.UDPAddr)
		udp := binary.BigEndian.AppendUint16(nil, uint16(from.Port))
		udp = binary.BigEndian.AppendUint16(udp, uint16(resolver.Port))
		udp = append(udp, 0, 48, 0, 0)
		icmp := append([]byte{3, code, 0, 0, 0, 0, 0, 0}, ipv4(from.IP, resolver.IP, unix.IPPROTO_UDP, udp)...)
		binary.BigEndian.PutUint16(icmp[2:], checksum(icmp))
		packet := ipv4(resolver.IP, from.IP, unix.IPPROTO_ICMP, icmp)
		to := &unix.SockaddrInet4{Addr: [4]byte(from.IP.To4())}
		for range 3 {
			if err := unix.Sendto(fd, packet, 0, to); err != nil {
				l.Error(err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// ipv4 is a packet (RFC 791, section 3.1).
func ipv4(from, to net.IP, protocol byte, data []byte) []byte {
	h := make([]byte, 20, 20+len(data))
	h[0], h[8], h[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(data)))
	copy(h[12:], from.To4())
	copy(h[16:], to.To4())
	binary.BigEndian.PutUint16(h[10:], checksum(h))
	return append(h, data...)
}

// checksum is that of the internet (RFC 1071).
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum>>16 > 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// A client and a forger together: the client asks one question in many forms, and the forger
// sends replies with random ids to all ports that it has seen. No answer is a forged one.
func TestBirthday(t *testing.T) {
	const forms, forged = 300, 20000
	l := newLab(t)
	b := l.besiege("127.0.0.31:53")
	var mu sync.Mutex
	ports, asked := make(map[int]bool), make(map[string]bool) // a query that comes again has its port and id
	attacked := make(chan struct{})
	b.attack = func(_ *besieged, query []byte, from *net.UDPAddr) {
		mu.Lock()
		ports[from.Port] = true
		asked[fmt.Sprint(from.Port, query[:2])] = true
		mu.Unlock()
		if string(query[12:18]) == "\x04bank\x07" {
			<-attacked
		}
	}
	l.coredns(".:53 {\n bind 127.0.0.123\n dnsmus 127.0.0.31 {\n timeout 50s\n patience 50s\n }\n errors\n}\n").awaits("@127.0.0.123 ready.example")
	var all sync.WaitGroup
	var poisoned, right int
	for i := range forms {
		all.Go(func() {
			m := new(dns.Msg).SetQuestion("bank.example.", dns.TypeA)
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: 65001, Data: binary.BigEndian.AppendUint16(nil, uint16(i))}}
			ctx, cancel := context.WithTimeout(l.Context(), time.Minute)
			defer cancel()
			r, err := l.exchange(ctx, question{server: "127.0.0.123", port: "53", network: "udp", msg: m, size: 1232}, "udp")
			if err != nil || len(r.Answer) == 0 {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if r.Answer[0].(*dns.A).A.Equal(net.IPv4(192, 0, 2, 1)) {
				right++
			} else {
				poisoned++
			}
		})
	}
	l.eventually(func() error {
		mu.Lock()
		defer mu.Unlock()
		if len(asked) < 2 {
			return fmt.Errorf("%d queries", len(asked))
		}
		return nil
	})
	time.Sleep(200 * time.Millisecond) // as many more as will come
	q, _ := new(dns.Msg).SetQuestion("bank.example.", dns.TypeA).Pack()
	guess := answer(q, "203.0.113.66")
	mu.Lock()
	var known []int
	for port := range ports {
		known = append(known, port)
	}
	inFlight := len(asked)
	mu.Unlock()
	for i := range forged {
		to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: known[rand.IntN(len(known))]}
		b.send(withID(guess, uint16(rand.IntN(1<<16))), to)
		if i%200 == 199 {
			time.Sleep(time.Millisecond)
		}
	}
	close(attacked)
	all.Wait()
	if poisoned > 0 || right == 0 || inFlight > 10 {
		t.Errorf("%d of %d forms were poisoned, %d answered; %d queries were in flight at once", poisoned, forms, right, inFlight)
	}
}

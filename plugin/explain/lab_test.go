package explain

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// behaviour is how a resolver replies over a network, "udp" or "tcp": it edits m,
// and returns false to stay silent.
type behaviour func(network string, m *dns.Msg) bool

// resolver listens on UDP and TCP at one port of 127.0.0.1.
func resolver(t *testing.T, behave behaviour) netip.AddrPort {
	t.Helper()
	var (
		udp net.PacketConn
		tcp net.Listener
		err error
	)
	for range 10 { // the port may be taken on one of the two
		if udp, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if tcp, err = net.Listen("tcp", udp.LocalAddr().String()); err == nil {
			break
		}
		udp.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	reply := func(network string, raw []byte) []byte {
		q := new(dns.Msg)
		if err := q.Unpack(raw); err != nil {
			t.Errorf("junk: %v", err)
			return nil
		}
		m := new(dns.Msg)
		m.SetReply(q)
		m.RecursionAvailable = true
		if !behave(network, m) {
			return nil
		}
		b, err := m.Pack()
		if err != nil {
			t.Error(err)
		}
		return b
	}
	var all sync.WaitGroup
	all.Go(func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			if b := reply("udp", buf[:n]); b != nil {
				udp.WriteTo(b, from)
			}
		}
	})
	all.Go(func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			all.Go(func() { // until the client closes
				defer conn.Close()
				for {
					var length [2]byte
					if _, err := io.ReadFull(conn, length[:]); err != nil {
						return
					}
					raw := make([]byte, binary.BigEndian.Uint16(length[:]))
					if _, err := io.ReadFull(conn, raw); err != nil {
						return
					}
					if b := reply("tcp", raw); b != nil {
						conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		udp.Close()
		tcp.Close()
		all.Wait()
	})
	return netip.MustParseAddrPort(udp.LocalAddr().String())
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return netip.MustParseAddrPort(conn.LocalAddr().String())
}

func rr(s string) dns.RR {
	r, err := dns.NewRR(s)
	if err != nil {
		panic(err)
	}
	return r
}

func soa(m *dns.Msg) {
	m.Ns = []dns.RR{rr("example. 60 IN SOA ns.example. hostmaster.example. 1 2 3 4 30")}
}

// What resolvers say.

func knows(records ...string) behaviour {
	return func(_ string, m *dns.Msg) bool {
		for _, r := range records {
			m.Answer = append(m.Answer, rr(r))
		}
		return true
	}
}

func nodata(_ string, m *dns.Msg) bool { soa(m); return true }

func nxdomain(_ string, m *dns.Msg) bool { m.Rcode = dns.RcodeNameError; soa(m); return true }

func code(rcode int) behaviour {
	return func(_ string, m *dns.Msg) bool { m.Rcode = rcode; return true }
}

func silent(string, *dns.Msg) bool { return false }

// command runs the command on what is no terminal.
func command(t *testing.T, args ...string) (status int, out, problems string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = run(context.Background(), "dnsmus explain", args, screen{Writer: &stdout}, &stderr)
	return status, stdout.String(), stderr.String()
}

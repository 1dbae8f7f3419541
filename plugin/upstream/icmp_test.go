package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// reporting is a socket after whose packets an ICMP error comes, with what quote makes of the
// packet.
type reporting struct {
	udp.Conn
	received udp.Receiver
	err      error
	quote    func([]byte) []byte
}

func (s reporting) Send(packets []udp.Packet) {
	s.Conn.Send(packets)
	for _, p := range packets {
		peer, quoted := p.Peer, s.quote(bytes.Clone(p.Msg))
		time.AfterFunc(10*ms, func() { s.received([]udp.Packet{{Peer: peer, Msg: quoted, Err: s.err}}) })
	}
}

// R10: an error that ICMP reports counts for the exchange whose id is quoted, if it asked what
// is quoted. Without an id it is a hint to ask a stream, too; the reply over UDP is still
// taken, and ports are kept.
func TestR10ICMP(t *testing.T) {
	whole := func(b []byte) []byte { return b }
	none := func([]byte) []byte { return nil }
	wrongID := func(b []byte) []byte { wire.Header(b).SetID(^wire.Header(b).ID()); return b }
	for _, tc := range []struct {
		what  string
		quote func([]byte) []byte
		is    string // "believed", "a hint" or "nothing"
	}{
		{"whole", whole, "believed"},
		{"an id and no more", func(b []byte) []byte { return b[:2] }, "believed"},
		{"a header", func(b []byte) []byte { return b[:wire.HeaderSize] }, "believed"},
		{"nothing", none, "a hint"},
		{"one byte", func(b []byte) []byte { return b[:1] }, "a hint"},
		{"another id", wrongID, "nothing"},
		{"another id and no more", func(b []byte) []byte { return wrongID(b)[:2] }, "nothing"},
		{"another question", func(b []byte) []byte { b[wire.HeaderSize+1] ^= 1; return b }, "nothing"},
		{"a reply", func(b []byte) []byte { return replyTo(b, nil) }, "nothing"},
	} {
		for _, err := range []error{syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH} {
			for _, tcp := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s quoted, %v, TCP %v", tc.what, err, tcp), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						f := newFake(nil)
						f.script(func(p packet) {
							if p.network == "tcp" {
								answerAfter(20*ms, nil)(p)
							} else {
								answerAfter(90*ms, nil)(p)
							}
						})
						if !tcp {
							f.dial = noTCP
						}
						u := f.upstream(t, func(c *Config) {
							c.Ports = ports.Over(func(v6 bool, received udp.Receiver) (udp.Conn, error) {
								conn, e := f.Listen(v6, received)
								return reporting{conn, received, err, tc.quote}, e
							})
						})
						o := ask(u, query("host.example."))
						packets, _ := f.sent()
						switch {
						case tc.is == "believed" && !tcp:
							if !errors.Is(o.err, syscall.ECONNREFUSED) && !errors.Is(o.err, err) || o.after != 20*ms || packets != 2 {
								t.Errorf("good %v after %v, %v, %d packets", o.good(), o.after, o.err, packets)
							}
						case tc.is == "believed" && o.after != 40*ms, tc.is == "a hint" && tcp && o.after != 30*ms,
							(tc.is == "nothing" || tc.is == "a hint" && !tcp) && o.after != 90*ms, !o.good():
							t.Errorf("good %v after %v, %v, %d packets", o.good(), o.after, o.err, packets)
						}
						if n := f.opened("udp"); tc.is != "believed" && n != 1 {
							t.Errorf("%d ports were opened", n)
						}
					})
				})
			}
		}
	}
}

package upstream

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// A server that sends what nobody asked for is cut off after a hundred messages, and not
// dialled at once: it gets rid of a hundred a second, be it asked meanwhile or not.
func TestStreamUseless(t *testing.T) {
	for what, junk := range map[string]func(msg []byte) []byte{
		"nothing":    func([]byte) []byte { return nil },
		"short":      func([]byte) []byte { return []byte{1, 2, 3} },
		"another id": func(msg []byte) []byte { return replyTo(msg, func(m *dns.Msg) { m.Id++ }) },
		"another question": func(msg []byte) []byte {
			return replyTo(msg, func(m *dns.Msg) { m.Question[0].Name = "other.example." })
		},
		"a query":       func(msg []byte) []byte { return msg },
		"a reply again": func(msg []byte) []byte { return replyTo(msg, nil) },
	} {
		for _, answers := range []bool{false, true} {
			for _, asked := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, answers %v, asked %v", what, answers, asked), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var sent atomic.Int32
						serve := func(conn net.Conn) {
							msg, err := testkit.ReadFrame(conn)
							if err == nil && (answers || what == "a reply again") {
								_, err = conn.Write(framed(replyTo(msg, good)))
							}
							for ; err == nil; time.Sleep(50 * time.Microsecond) {
								_, err = conn.Write(framed(junk(msg)))
								sent.Add(1)
							}
							conn.Close()
						}
						u := newFake(nil).upstream(t, func(c *Config) {
							c.ForceTCP, c.Warm = true, time.Minute
							c.Dial = func(context.Context, udp.Peer) (net.Conn, error) {
								client, server := net.Pipe()
								go serve(server)
								return client, nil
							}
						})
						begun, answered := time.Now(), 0
						for range 60 {
							if asked || answered == 0 && sent.Load() == 0 {
								if o := ask(u, query("host.example.")); o.good() {
									answered++
								}
							}
							time.Sleep(time.Second)
						}
						most := (int(time.Since(begun)/uselessPause) + 2) * (maxUseless + 1)
						if n := int(sent.Load()); n < maxUseless || n > most {
							t.Errorf("the server was rid of %d messages, want at most %d", n, most)
						}
						if asked && answers && answered < 55 {
							t.Errorf("only %d of 60 queries were answered", answered)
						}
					})
				})
			}
		}
	}
}

// framed is a message with its length before it.
func framed(msg []byte) []byte { return append([]byte{byte(len(msg) >> 8), byte(len(msg))}, msg...) }

// Replies that come for queries but do not answer them count, too.
func TestRoundTripperUseless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var trips atomic.Int32
		s := &single{t: t, answer: func(_ context.Context, _ *singleConn, msg []byte) ([]byte, error) {
			trips.Add(1)
			return replyTo(msg, func(m *dns.Msg) { m.Question[0].Name = "other.example." }), nil
		}}
		u := newFake(nil).upstream(t, func(c *Config) { c.ForceTCP, c.DialRoundTripper = true, s.dial })
		var all sync.WaitGroup
		for range 5000 {
			all.Go(func() { ask(u, query("host.example.")) })
			time.Sleep(2 * time.Millisecond)
		}
		all.Wait()
		if n := int(trips.Load()); n < maxUseless || n > 20*(maxUseless+maxWorkers) {
			t.Errorf("%d replies that answer nothing in ten seconds", n)
		}
		if n := s.opened(); n > 20 {
			t.Errorf("%d connections in ten seconds", n)
		}
	})
}

// Replies that come now and then are no reason to put up with less than others: what answers
// nothing is counted from the last of them on.
func TestStreamUselessBetweenReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			for range maxUseless - 1 {
				p.send([]byte{1, 2, 3})
			}
			answerAfter(0, nil)(p)
		})
		u := f.upstream(t, forceTCP)
		for range 20 {
			if o := ask(u, query("host.example.")); !o.good() {
				t.Fatal(o.err)
			}
		}
		equal(t, "connections", f.opened("tcp"), 1)
	})
}

package handler

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/account"
	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// A good answer shows that a denial was wrong for as long as an exchange lives, twice `timeout`:
// also if its upstream went down meanwhile, or was, and over TCP as well.
func TestR25WrongDenialsWhenDown(t *testing.T) {
	for _, tc := range []struct {
		what              string
		timeout, patience time.Duration
		downBefore        bool
		delay             time.Duration // of the good answer
		want              int32
	}{
		{"silent for longer than patience", 5 * time.Second, 2 * time.Second, false, 2600 * time.Millisecond, 1},
		{"and for long", 5 * time.Second, 2 * time.Second, false, 9900 * time.Millisecond, 1},
		{"asked while down", 5 * time.Second, 2 * time.Second, true, 2600 * time.Millisecond, 1},
		{"after timeout", 2 * time.Second, 2 * time.Second, false, 3900 * time.Millisecond, 1},
		{"after timeout, with less patience", 4 * time.Second, 1500 * time.Millisecond, false, 5500 * time.Millisecond, 1},
		{"after all", time.Second, 2 * time.Second, false, 3100 * time.Millisecond, 0},
	} {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(tc.what+", over "+network, func(t *testing.T) {
				inVirtualTime(t, func(t *testing.T, v *virtual) {
					v.takesTCP = true
					denies, late := v.resolver("192.0.2.1", time.Millisecond), v.resolver("192.0.2.2", tc.delay, "wiki.corp.example 10.1.2.3")
					values := option.Default()
					values.Cache, values.Control, values.ForceTCP = 100, false, network == "tcp"
					values.Rules.Timeout, values.Patience = tc.timeout, tc.patience
					h := New(Config{Upstreams: addresses(denies, late), Values: values})
					c := poolConfig(values)
					c.Ports, c.Dial = ports.Over(v.listen), v.dial
					var wrong atomic.Int32
					c.Watched = func() bool { return false }
					c.LateReply = func(r pool.LateReply) {
						if r.Wrong && r.By.Server.Addr == late.at.Addr {
							wrong.Add(1)
						}
					}
					c.Over = h.over
					h.pool = pool.New(c)
					h.Start()
					defer h.Stop()
					k := keeping{h, t}
					time.Sleep(500 * time.Millisecond) // what is old is forgotten at whole seconds
					if tc.downBefore {
						late.be(true)
						k.gets("other.example")
						time.Sleep(3500 * time.Millisecond)
						late.be(false)
					}
					if got := k.gets("wiki.corp.example"); got != "NXDOMAIN" {
						t.Fatalf("the client got %s", got)
					}
					time.Sleep(2*tc.timeout + 2*time.Second)
					if got := wrong.Load(); got != tc.want {
						t.Errorf("%d wrong denials, want %d", got, tc.want)
					}
				})
			})
		}
	}
}

// So does one of an upstream that came while the race was on, which counts as asked.
func TestR25WrongDenialOfNewUpstream(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		v.takesTCP = true
		denies, late := v.resolver("192.0.2.1", 500*time.Millisecond), v.resolver("192.0.2.2", 3*time.Second, "wiki.corp.example 10.1.2.3")
		values := option.Default()
		values.Cache, values.Control, values.Rules.Timeout, values.Patience = 100, false, 2*time.Second, 2*time.Second
		h := New(Config{Upstreams: addresses(denies), Values: values})
		c := poolConfig(values)
		c.Ports, c.Dial = ports.Over(v.listen), v.dial
		var wrong atomic.Int32
		c.Watched = func() bool { return false }
		c.LateReply = func(r pool.LateReply) {
			if r.Wrong && r.By.Server.Addr == late.at.Addr {
				wrong.Add(1)
			}
		}
		counts := make(map[netip.AddrPort]*account.Upstream)
		c.Account = func(s server.Server) *account.Upstream {
			counts[s.Addr] = new(account.Upstream)
			return counts[s.Addr]
		}
		h.pool = pool.New(c)
		h.Start()
		defer h.Stop()
		time.AfterFunc(100*time.Millisecond, func() { replace(h.pool, addresses(denies, late)) })
		if got := (keeping{h, t}).gets("wiki.corp.example"); got != "NXDOMAIN" {
			t.Fatalf("the client got %s", got)
		}
		time.Sleep(3 * time.Second)
		if _, n := counts[late.at.Addr].Lately(instant.Now()); wrong.Load() != 1 || n[account.Asked] != 2 || n[account.Good] != 1 { // AAAA is asked for before the denial
			t.Errorf("%d wrong denials, %v", wrong.Load(), n)
		}
	})
}

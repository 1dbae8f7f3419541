package handler

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	clog "github.com/coredns/coredns/plugin/pkg/log"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// unreachable is the socket of a machine without a network.
type unreachable struct{}

func (unreachable) Send(packets []udp.Packet) {
	for i := range packets {
		packets[i].Err = syscall.ENETUNREACH
	}
}
func (unreachable) Drops() uint64 { return 0 }
func (unreachable) Close()        {}

// A day of queries that all fail is a few lines of the log, whatever they fail of, and none has a
// name that was asked for. Each error that is returned would be a line of the errors plugin.
func TestFewLines(t *testing.T) {
	networks := map[string]func(v *virtual) (ports.Listen, func(context.Context, udp.Peer) (net.Conn, error)){
		"no network": func(*virtual) (ports.Listen, func(context.Context, udp.Peer) (net.Conn, error)) {
			return func(bool, udp.Receiver) (udp.Conn, error) { return unreachable{}, nil },
				func(context.Context, udp.Peer) (net.Conn, error) { return nil, syscall.ENETUNREACH }
		},
		"no descriptors": func(*virtual) (ports.Listen, func(context.Context, udp.Peer) (net.Conn, error)) {
			return func(bool, udp.Receiver) (udp.Conn, error) { return nil, syscall.EMFILE },
				func(context.Context, udp.Peer) (net.Conn, error) { return nil, syscall.EMFILE }
		},
		"silence": func(v *virtual) (ports.Listen, func(context.Context, udp.Peer) (net.Conn, error)) {
			return v.listen, func(context.Context, udp.Peer) (net.Conn, error) { return nil, errors.New("refused") }
		},
	}
	for what, network := range networks {
		t.Run(what, func(t *testing.T) {
			said := testkit.Logged(t)
			queries := 0
			inVirtualTime(t, func(t *testing.T, v *virtual) {
				values := option.Default()
				values.Cache, values.Learn, values.MaxConcurrent = 10_000, time.Minute, 3
				one, two := v.resolver("192.0.2.1", 0), v.resolver("192.0.2.2", 0)
				v.resolvers = nil // so they are silent
				h := New(Config{Upstreams: addresses(one, two), Values: values})
				c := poolConfig(values)
				listen, dial := network(v)
				c.Ports, c.Dial = ports.Over(listen), dial
				h.pool = pool.New(c)
				h.Start()
				defer h.Stop()
				for end := time.Now().Add(24 * time.Hour); time.Now().Before(end); time.Sleep(time.Minute) {
					for range 6 {
						queries++
						q := question(fmt.Sprintf("secret%d.example.", queries), dns.TypeA)
						w := new(wireWriter)
						go func() {
							if rcode, err := h.ServeDNS(t.Context(), request.NewScrubWriter(q, w), q); err != nil || rcode != dns.RcodeSuccess && rcode != dns.RcodeRefused {
								t.Errorf("%d, %v", rcode, err)
							}
						}()
					}
				}
				time.Sleep(time.Minute)
			})
			text := said.String()
			if n := strings.Count(text, "\n"); n == 0 || n > 100 {
				t.Errorf("%d lines for %d queries", n, queries)
			}
			if strings.Contains(text, "secret") {
				t.Error("the names are in the log")
			}
		})
	}
}

// Names in zones of except fail where no other plugin has them, and messages that cannot be
// asked: neither is a line each.
func TestNoErrors(t *testing.T) {
	h := started(Config{Values: option.Values{Rules: testRules, Except: []string{"corp.example."}}})
	defer h.Stop()
	for what, q := range map[string]*dns.Msg{
		"except":      question("host.corp.example.", dns.TypeA),
		"no upstream": question("host.example.", dns.TypeA),
		"a bad name":  question(strings.Repeat("x", 64)+".example.", dns.TypeA),
		"not raced":   question("example.", dns.TypeAXFR),
	} {
		if _, err := h.ServeDNS(t.Context(), new(wireWriter), q); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Who has the plugin debug in use is told why a query failed.
func TestFailedDebug(t *testing.T) {
	said := testkit.Logged(t)
	h := started(Config{Values: option.Values{Rules: testRules}})
	defer h.Stop()
	clog.D.Set()
	defer clog.D.Clear()
	h.ServeDNS(t.Context(), new(wireWriter), question("host.example.", dns.TypeA))
	if said.Count("host.example. A: no upstream is known yet") != 1 {
		t.Errorf("logged was %q", said)
	}
}

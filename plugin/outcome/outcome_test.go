package outcome

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
)

const ms = time.Millisecond

func reply(behave behaviour) *dns.Msg {
	m := new(dns.Msg)
	behave("udp", m)
	return m
}

// example is an outcome of which nothing is left to chance.
func example(opinions ...result) *outcome {
	v := option.Default()
	o := &outcome{cfg: &v, question: host, winner: -1, since: 4 * time.Second, ended: true, over: true, reply: &dns.Msg{}}
	for i, res := range opinions {
		if res.msg != nil {
			res.raw, _ = res.msg.Copy().Pack()
		}
		res.upstream = fmt.Sprintf("10.%d.0.53:53", i+1)
		o.results = append(o.results, res)
	}
	return o
}

// won makes the reply of i the one that is given.
func (o *outcome) won(i int, took time.Duration, missing ...int) *outcome {
	o.winner, o.took, o.verdict, o.missing, o.conclusive = i, took, race.None, missing, len(missing) == 0
	o.reply.Rcode = dns.RcodeServerFailure
	if i >= 0 {
		o.verdict, o.reply = o.results[i].verdict, o.results[i].msg
	}
	return o
}

var (
	goodResult    = result{after: 12 * ms, msg: reply(knows("host.example. 60 IN A 10.2.0.20", "host.example. 60 IN A 10.2.0.21")), verdict: race.Good}
	deniesResult  = result{after: 900 * time.Microsecond, msg: reply(nxdomain), verdict: race.NXDomainSOA}
	refusedResult = result{after: 3 * ms, err: &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNREFUSED)}}
	silentResult  = result{down: true}
	shortResult   = result{after: 2 * ms, msg: reply(func(_ string, m *dns.Msg) bool { m.Truncated = true; return true }), verdict: race.Truncated}
)

// A truncated reply is a failure to programs too.
func TestTruncatedOutcome(t *testing.T) {
	s := example(deniesResult, shortResult).won(1, 2*ms, 1).api()
	if s.Verdict != "truncated" || s.Conclusive || s.TTL != nil || len(s.Missing) != 1 || !s.Upstreams[1].Truncated || s.Upstreams[1].Verdict != "truncated" {
		t.Errorf("%+v", s)
	}
}

func TestRecords(t *testing.T) {
	many := []string{"x. 1 IN CNAME y.example."}
	for range 5 {
		many = append(many, "y.example. 1 IN A 192.0.2.1")
	}
	truncated := func(_ string, m *dns.Msg) bool { m.Truncated = true; return true }
	for _, tc := range []struct {
		behave behaviour
		width  int
		want   string
	}{
		{knows(many...), 200, "192.0.2.1, 192.0.2.1, 192.0.2.1, 192.0.2.1, 192.0.2.1, CNAME y.example."},
		{knows(many...), 40, "192.0.2.1, 192.0.2.1, 192.0.2.1 +3 more"},
		{knows(many...), 30, "192.0.2.1, 192.0.2.1 +4 more"},
		{knows(many...), 20, "192.0.2.1 +5 more"},
		{knows(`x. 1 IN TXT "a\027[2Jb"`), 40, `TXT "a\027[2Jb"`},
		{knows(`x. 1 IN TXT "` + strings.Repeat("a", 200) + `"`), 20, `TXT "aaaaaaaaaaaa...`},
		{knows(`x. 1 IN TYPE65280 \# 2 0102`), 20, `TYPE65280 \# 2 0102`},
		{nxdomain, 20, "SOA"},
		{truncated, 20, "truncated"},
		{code(dns.RcodeRefused), 20, "-"},
	} {
		m := reply(tc.behave)
		if got := dataOf(m, written(m.Answer), dns.TypeA, tc.width); got != tc.want {
			t.Errorf("in %d columns: %q, want %q", tc.width, got, tc.want)
		}
	}
}

func TestShort(t *testing.T) {
	for want, err := range map[string]error{
		"connection refused":     refusedResult.err,
		"network is unreachable": &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)},
		"connection closed":      io.EOF,
		"connection timed out":   &net.OpError{Op: "dial", Err: context.DeadlineExceeded},
		"something?[2J else":     errors.New("something\x1b[2J else"),
	} {
		if got := short(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

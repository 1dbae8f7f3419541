package explain

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
)

const ms = time.Millisecond

func reply(behave behaviour) *dns.Msg {
	m := new(dns.Msg)
	behave("udp", m)
	return m
}

// example is an outcome of which nothing is left to chance.
func example(opinions ...result) *outcome {
	cfg, err := parse([]string{"host.example"})
	if err != nil {
		panic(err)
	}
	o := &outcome{cfg: cfg, winner: -1, since: 4 * time.Second, ended: true, over: true, reply: &dns.Msg{}}
	for i, res := range opinions {
		res.server = server.Plain(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i + 1), 0, 53}), 53))
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
	failsResult   = result{after: 1500 * ms, msg: reply(code(dns.RcodeServerFailure)), verdict: race.ServFail}
	refusedResult = result{after: 3 * ms, err: &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNREFUSED)}}
	silentResult  = result{down: true}
	shortResult   = result{after: 2 * ms, msg: reply(func(_ string, m *dns.Msg) bool { m.Truncated = true; return true }), verdict: race.Truncated}
)

func TestText(t *testing.T) {
	for _, tc := range []struct {
		what string
		o    *outcome
		want string
	}{
		{"good", example(deniesResult, goodResult, silentResult, refusedResult).won(1, 12*ms), `
host.example. A

  UPSTREAM        TIME  RCODE     RECORDS               VERDICT   WHY
  10.1.0.53:53  0.9 ms  NXDOMAIN  SOA                   nxdomain  no such name
* 10.2.0.53:53   12 ms  NOERROR   10.2.0.20, 10.2.0.21  good      first good answer
  10.3.0.53:53       -  -         -                     none      no reply in 2s; upstream is down
  10.4.0.53:53  3.0 ms  -         -                     none      connection refused

dnsmus replies NOERROR after 12 ms, the reply of 10.2.0.53:53:
  host.example. 60 IN A 10.2.0.20
  host.example. 60 IN A 10.2.0.21
Conclusive: the first good answer is the reply; other replies do not matter.
`},
		{"inconclusive", example(deniesResult, failsResult, silentResult).won(0, 2*time.Second, 1, 2), `
host.example. A

  UPSTREAM        TIME  RCODE     RECORDS  VERDICT   WHY
* 10.1.0.53:53  0.9 ms  NXDOMAIN  SOA      nxdomain  no such name
  10.2.0.53:53  1.50 s  SERVFAIL  -        servfail  replied SERVFAIL
  10.3.0.53:53       -  -         -        none      no reply in 2s; upstream is down

dnsmus replies NXDOMAIN after 2.00 s, the reply of 10.1.0.53:53:
  example. 60 IN SOA ns.example. hostmaster.example. 1 2 3 4 30
Inconclusive: no opinion from 10.2.0.53:53 (replied SERVFAIL), 10.3.0.53:53 (no reply in 2s; upstream is down).
Caches may keep it for 30s.
`},
		{"no reply", example(silentResult).won(-1, 4*time.Second, 0), `
host.example. A

  UPSTREAM      TIME  RCODE  RECORDS  VERDICT  WHY
  10.1.0.53:53     -  -      -        none     no reply in 2s; upstream is down

dnsmus replies SERVFAIL after 4.00 s: no upstream replied.
`},
		{"conclusive", example(result{after: ms, msg: reply(code(0)), verdict: race.NoData}).won(0, ms), `
host.example. A

  UPSTREAM        TIME  RCODE    RECORDS  VERDICT  WHY
* 10.1.0.53:53  1.0 ms  NOERROR  -        nodata   no A record, without SOA

dnsmus replies NODATA after 1.0 ms, the reply of 10.1.0.53:53
Conclusive: every upstream has given its opinion.
Caches should not keep it: it has no SOA.
`},
		{"truncated", example(deniesResult, shortResult).won(1, 2*ms, 1), `
host.example. A

  UPSTREAM        TIME  RCODE     RECORDS    VERDICT    WHY
  10.1.0.53:53  0.9 ms  NXDOMAIN  SOA        nxdomain   no such name
* 10.2.0.53:53  2.0 ms  NOERROR   truncated  truncated  truncated, and TCP failed

dnsmus replies TC=1 without an answer after 2.0 ms, the reply of 10.2.0.53:53
The answer is too long for UDP, and TCP failed: clients on TCP get SERVFAIL.
`},
		{"failure", example(failsResult).won(0, 1500*ms, 0), `
host.example. A

  UPSTREAM        TIME  RCODE     RECORDS  VERDICT   WHY
* 10.1.0.53:53  1.50 s  SERVFAIL  -        servfail  replied SERVFAIL

dnsmus replies SERVFAIL after 1.50 s, the reply of 10.1.0.53:53
No usable reply: no opinion from 10.1.0.53:53 (replied SERVFAIL).
`},
	} {
		if got := asText(tc.o, style{}); got != tc.want[1:] {
			t.Errorf("%s:\n%s\nwant\n%s", tc.what, got, tc.want)
		}
	}
}

// A truncated reply is a failure to programs too.
func TestTruncatedOutcome(t *testing.T) {
	o := example(deniesResult, shortResult).won(1, 2*ms, 1)
	s := decode(t, string(asJSON(o)))
	if o.exit() != 3 || s.Verdict != "truncated" || s.Conclusive || s.TTL != nil || len(s.Missing) != 1 || !s.Upstreams[1].Truncated || s.Upstreams[1].Verdict != "truncated" {
		t.Errorf("status %d, %+v", o.exit(), s)
	}
}

// Colours change nothing but colours.
func TestColours(t *testing.T) {
	o := example(deniesResult, goodResult, silentResult).won(1, 12*ms)
	plain, painted := asText(o, style{width: 100}), asText(o, style{width: 100, colour: true})
	for _, want := range []string{"\x1b[32mgood\x1b[0m", "\x1b[33mnxdomain\x1b[0m", "\x1b[31mnone\x1b[0m", "\x1b[1m10.2.0.53:53\x1b[0m"} {
		if !strings.Contains(painted, want) {
			t.Errorf("no %q in %q", want, painted)
		}
	}
	if got := show(t, painted, 1000).text(); got != plain {
		t.Errorf("painted:\n%s\nplain:\n%s", got, plain)
	}
	if strings.Contains(plain, "\x1b") {
		t.Errorf("colours in %q", plain)
	}
}

// While upstreams are waited for, the table shows for how long.
func TestPending(t *testing.T) {
	o := example(deniesResult, result{}, silentResult)
	o.ended, o.over, o.since = false, false, 2345*ms
	want := `
  UPSTREAM        TIME  RCODE     RECORDS  VERDICT   WHY
  10.1.0.53:53  0.9 ms  NXDOMAIN  SOA      nxdomain  no such name
  10.2.0.53:53   2.3 s  -         -        -         waiting
  10.3.0.53:53   2.3 s  -         -        -         no reply in 2s; upstream is down`
	if got := strings.Join(table(o, style{}), "\n"); got != want[1:] {
		t.Errorf("got\n%s\nwant%s", got, want)
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
		{knows(many...), 200, "CNAME y.example., 192.0.2.1, 192.0.2.1, 192.0.2.1, 192.0.2.1, 192.0.2.1"},
		{knows(many...), 40, "CNAME y.example., 192.0.2.1 +4 more"},
		{knows(many...), 30, "CNAME y.example. +5 more"},
		{knows(many...), 20, "CNAME y.e... +5 more"},
		{knows(`x. 1 IN TXT "a\027[2Jb"`), 40, `TXT "a\027[2Jb"`},
		{knows(`x. 1 IN TXT "` + strings.Repeat("a", 200) + `"`), 20, `TXT "aaaaaaaaaaaa...`},
		{knows(`x. 1 IN TYPE65280 \# 2 0102`), 20, `TYPE65280 \# 2 0102`},
		{nxdomain, 20, "SOA"},
		{truncated, 20, "truncated"},
		{code(dns.RcodeRefused), 20, "-"},
	} {
		if got := recordsText(reply(tc.behave), dns.TypeA, tc.width); got != tc.want {
			t.Errorf("in %d columns: %q, want %q", tc.width, got, tc.want)
		}
	}
}

// The table keeps to the terminal as far as it can, by showing fewer records.
func TestWidth(t *testing.T) {
	var records []string
	for range 20 {
		records = append(records, "host.example. 60 IN A 192.0.2.1")
	}
	o := example(deniesResult, result{after: ms, msg: reply(knows(records...)), verdict: race.Good}).won(1, ms)
	for _, width := range []int{80, 100, 120} {
		for _, line := range table(o, style{width: width}) {
			if len(line) > width {
				t.Errorf("%d columns, want %d: %s", len(line), width, line)
			}
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

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0 ms", 340 * time.Microsecond: "0.3 ms", 9949 * time.Microsecond: "9.9 ms", 9950 * time.Microsecond: "10 ms",
		123 * ms: "123 ms", 999 * ms: "999 ms", 999500 * time.Microsecond: "1.00 s", 4 * time.Second: "4.00 s", time.Minute: "60.00 s",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// A disk that is full is not silence.
func TestOutputFails(t *testing.T) {
	server := resolver(t, nxdomain)
	r, w := io.Pipe()
	r.Close()
	for _, args := range [][]string{{"-h"}, {"x", "@" + server.String()}, {"x", "--json", "@" + server.String()}} {
		var problems strings.Builder
		if status := run(t.Context(), "dnsmus explain", args, screen{Writer: w}, &problems); status != 74 || problems.Len() == 0 {
			t.Errorf("%v: status %d, problems %q", args, status, problems.String())
		}
	}
}

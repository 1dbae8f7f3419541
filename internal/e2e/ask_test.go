//go:build linux

package e2e

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// ask asks once, as dig does for the same words, but without a process: tests ask
// thousands of times. What it does not understand it leaves to dig.
func (l *lab) ask(query string) reply {
	l.Helper()
	q, ok := parseQuestion(query)
	if !ok {
		return l.dig(query)
	}
	ctx, cancel := context.WithTimeout(l.Context(), q.timeout)
	defer cancel()
	msg, err := l.exchange(ctx, q, q.network)
	if err == nil && msg.Truncated && q.network == "udp" && !q.ignore {
		msg, err = l.exchange(ctx, q, "tcp")
	}
	if errors.Is(err, unix.ECONNRESET) || errors.Is(err, io.EOF) { // a server that is replaced
		msg, err = l.exchange(ctx, q, "tcp")
	}
	if err != nil {
		return reply{text: err.Error()}
	}
	if q.noTTL {
		for _, section := range [][]dns.RR{msg.Answer, msg.Ns, msg.Extra} {
			for _, rr := range section {
				if rr.Header().Rrtype != dns.TypeOPT { // whose TTL is something else
					rr.Header().Ttl = 0
				}
			}
		}
	}
	return parseDig(msg.String())
}

// question is what a line of dig asks.
type question struct {
	server, port, network string
	msg                   *dns.Msg
	size                  uint16 // of replies over UDP
	ignore, noTTL         bool   // that a reply is truncated; how long its records live
	timeout               time.Duration
}

// parseQuestion reads a query as on dig's command line, if it is a plain one.
func parseQuestion(query string) (q question, ok bool) {
	q = question{port: "53", network: "udp", size: 1232, timeout: 30 * time.Second}
	var (
		name                 string
		qtype, class         = dns.TypeA, uint16(dns.ClassINET)
		edns, recurse, ad    = true, true, true
		checkingDisabled, do bool
	)
	words := strings.Fields(query)
	for i := 0; i < len(words); i++ {
		word := words[i]
		value := func(option string) (n int, ok bool) {
			text, has := strings.CutPrefix(word, option+"=")
			n, err := strconv.Atoi(text)
			return n, has && err == nil
		}
		seconds, isTime := value("+time")
		size, isSize := value("+bufsize")
		switch {
		case word[0] == '@' && strings.Contains(word, "%"):
			return q, false // Go remembers the interface that had this name
		case word[0] == '@':
			q.server = word[1:]
		case word == "-p" && i+1 < len(words):
			i++
			q.port = words[i]
		case word == "+tcp":
			q.network = "tcp"
		case word == "+notcp":
			q.network = "udp"
		case word == "+ignore":
			q.ignore = true
		case word == "+nottlid":
			q.noTTL = true
		case word == "+noedns":
			edns = false
		case word == "+dnssec":
			do = true
		case word == "+norecurse":
			recurse = false
		case word == "+adflag":
			ad = true
		case word == "+noadflag":
			ad = false
		case word == "+cdflag":
			checkingDisabled = true
		case isTime:
			q.timeout = time.Duration(seconds) * time.Second
		case isSize:
			q.size = uint16(size)
		case word[0] == '+' || word[0] == '-':
			return q, false
		case name != "" && word == "CH":
			class = dns.ClassCHAOS
		case name == "":
			name = dns.Fqdn(word)
		case qtype == dns.TypeA:
			if qtype, ok = typeOf(word); !ok {
				return q, false
			}
		default:
			return q, false
		}
	}
	q.msg = new(dns.Msg).SetQuestion(name, qtype)
	q.msg.Question[0].Qclass = class
	q.msg.RecursionDesired, q.msg.AuthenticatedData, q.msg.CheckingDisabled = recurse, ad, checkingDisabled
	if edns || do {
		q.msg.SetEdns0(q.size, do)
	} else {
		q.size = dns.MinMsgSize
	}
	return q, q.server != "" && name != ""
}

// typeOf reads a type, which may be one without a name (RFC 3597, section 5).
func typeOf(word string) (qtype uint16, ok bool) {
	if qtype, ok = dns.StringToType[word]; ok {
		return qtype, true
	}
	number, ok := strings.CutPrefix(word, "TYPE")
	n, err := strconv.ParseUint(number, 10, 16)
	return uint16(n), ok && err == nil
}

func (l *lab) exchange(ctx context.Context, q question, network string) (*dns.Msg, error) {
	conn, err := l.dial(ctx, network, net.JoinHostPort(q.server, q.port))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	client := dns.Client{Net: network, UDPSize: q.size, Timeout: time.Until(deadline)}
	q.msg.Id = dns.Id()
	got, _, err := client.ExchangeWithConnContext(ctx, q.msg, &dns.Conn{Conn: conn, UDPSize: q.size})
	l.inspectReply(q, got)
	return got, err
}

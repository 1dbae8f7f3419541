//go:build linux

package e2e

import (
	"context"
	"errors"
	"io"
	"net"
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
	if err == nil && msg.Truncated && q.network == "udp" {
		msg, err = l.exchange(ctx, q, "tcp")
	}
	if errors.Is(err, unix.ECONNRESET) || errors.Is(err, io.EOF) { // a server that is replaced
		msg, err = l.exchange(ctx, q, "tcp")
	}
	if err != nil {
		return reply{text: err.Error()}
	}
	return parseDig(msg.String())
}

// question is what a line of dig asks.
type question struct {
	server, port, network string
	name                  string
	qtype                 uint16
	timeout               time.Duration
}

// parseQuestion reads a query as on dig's command line, if it is a plain one.
func parseQuestion(query string) (q question, ok bool) {
	q = question{port: "53", network: "udp", qtype: dns.TypeA, timeout: 30 * time.Second}
	words := strings.Fields(query)
	for i := 0; i < len(words); i++ {
		word := words[i]
		qtype, isType := dns.StringToType[word]
		switch seconds, isTime := strings.CutPrefix(word, "+time="); {
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
		case isTime:
			d, err := time.ParseDuration(seconds + "s")
			if err != nil {
				return q, false
			}
			q.timeout = d
		case word[0] == '+' || word[0] == '-':
			return q, false
		case isType && q.name != "":
			q.qtype = qtype
		case q.name == "":
			q.name = dns.Fqdn(word)
		default:
			return q, false
		}
	}
	return q, q.server != "" && q.name != ""
}

func (l *lab) exchange(ctx context.Context, q question, network string) (*dns.Msg, error) {
	conn, err := l.dial(ctx, network, net.JoinHostPort(q.server, q.port))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	msg := new(dns.Msg).SetQuestion(q.name, q.qtype)
	msg.AuthenticatedData = true
	msg.SetEdns0(1232, false)
	deadline, _ := ctx.Deadline()
	client := dns.Client{Net: network, UDPSize: 1232, Timeout: time.Until(deadline)}
	got, _, err := client.ExchangeWithConnContext(ctx, msg, &dns.Conn{Conn: conn, UDPSize: 1232})
	return got, err
}

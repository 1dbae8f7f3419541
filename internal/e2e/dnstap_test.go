//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// tapped is a message as the dnstap reader prints it.
type tapped struct {
	Type            string
	QueryTime       time.Time `json:"query_time"`
	ResponseTime    time.Time `json:"response_time"`
	SocketProtocol  string    `json:"socket_protocol"`
	ResponseAddress string    `json:"response_address"`
	ResponsePort    int       `json:"response_port"`
	QueryMessage    string    `json:"query_message"`
	ResponseMessage string    `json:"response_message"`
}

// TestDnstap reads what the dnstap plugin sends with the reader of the dnstap
// project: the query of each leg, and the reply of those that replied before the
// race was over.
func TestDnstap(t *testing.T) {
	l := newLoopback(t)
	reader := testkit.Build(t, "github.com/dnstap/golang-dnstap/dnstap")
	to, denied := l.inOrder()
	socket := filepath.Join(l.dir, "tap")
	file := l.write("tap.json", "")
	l.start(reader, "-u", socket, "-j", "-a", "-w", file)
	l.eventually(func() error { _, err := os.Stat(socket); return err })
	port, metrics, _ := l.server(fmt.Sprintf("dnstap %s full\ndnsmus %s {\ntimeout 1m\n}", socket, strings.Join(to, " ")))
	deny, knows, silent := to[0], to[1], to[2]

	messages := func() (list []tapped) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var m struct{ Message tapped }
			if json.Unmarshal([]byte(line), &m) == nil { // else it is being written
				list = append(list, m.Message)
			}
		}
		return list
	}
	for i, transport := range []string{"udp", "tcp"} {
		name := fmt.Sprintf("load%d.example.", i+1)
		query := new(dns.Msg).SetQuestion(name, dns.TypeA)
		denied(metrics, i+1)
		c := dns.Client{Net: transport, Timeout: patience}
		r, _, err := c.Exchange(query, "127.0.0.1:"+port)
		if err != nil || len(r.Answer) != 1 {
			t.Fatalf("%s: %v %v", transport, err, r)
		}
		want := []string{
			"FORWARDER_QUERY " + deny, "FORWARDER_QUERY " + knows, "FORWARDER_QUERY " + silent,
			"FORWARDER_RESPONSE " + deny + " NXDOMAIN", "FORWARDER_RESPONSE " + knows + " NOERROR",
		}
		slices.Sort(want)
		l.eventually(func() error {
			var got []string
			clients := 0
			for _, m := range messages() {
				if !strings.Contains(m.QueryMessage+m.ResponseMessage, name) {
					continue
				}
				if strings.HasPrefix(m.Type, "CLIENT_") {
					clients++
					continue
				}
				word := fmt.Sprintf("%s %s", m.Type, net.JoinHostPort(m.ResponseAddress, strconv.Itoa(m.ResponsePort)))
				text := m.QueryMessage
				if m.Type == "FORWARDER_RESPONSE" {
					text = m.ResponseMessage
					word += " " + parseDig(text).status
					if m.ResponseTime.Before(m.QueryTime) {
						t.Errorf("replied at %v, asked at %v", m.ResponseTime, m.QueryTime)
					}
				}
				got = append(got, word)
				if !strings.Contains(text, fmt.Sprintf("id: %d\n", query.Id)) || !strings.Contains(text, ";"+name+"\tIN\t") {
					t.Errorf("%s is not of the client's query %d: %s", word, query.Id, text)
				}
				if m.SocketProtocol != strings.ToUpper(transport) || m.QueryTime.IsZero() {
					t.Errorf("%s: protocol %s, time %v", word, m.SocketProtocol, m.QueryTime)
				}
				if strings.HasSuffix(word, "NOERROR") && !strings.Contains(text, r.Answer[0].String()) {
					t.Errorf("the answer %v is not in %s", r.Answer[0], text)
				}
			}
			slices.Sort(got)
			if clients == 2 && slices.Equal(got, want) {
				return nil
			}
			return fmt.Errorf("%s: messages are %q and %d of the client, want %q and 2", transport, got, clients, want)
		})
	}
}

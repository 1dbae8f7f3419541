package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

const (
	askTime  = 2 * time.Second // that a resolver has to reply to one packet
	askTries = 2               // packets that it gets
)

// byLibc asks as most programs do: by the C library, or by what the system has in its place.
func (m *machine) byLibc(ctx context.Context, is *api.Reached) way {
	name := "libc." + is.Name
	w := way{name: "The C library", used: true}
	var text string
	var err error
	switch runtime.GOOS {
	case "darwin":
		w.name = "The system's resolver"
		text, err = m.output(ctx, "dscacheutil", "-q", "host", "-a", "name", name)
	case "windows":
		w.name = "The system's resolver"
		text, err = m.output(ctx, "powershell", "-NoProfile", "-NonInteractive", "-Command", "(Resolve-DnsName -DnsOnly -Name "+name+").IPAddress")
	default:
		text, err = m.output(ctx, "getent", "ahosts", name)
	}
	return w.brought(text, err, is)
}

// brought notes what a program has printed. One that exits with a status of its own has asked.
func (w way) brought(text string, err error, is *api.Reached) way {
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		w.err = err
		return w
	}
	w.leads = leads(text, is)
	if w.got = "no answer"; strings.TrimSpace(text) != "" {
		w.got = "another answer"
	}
	return w
}

// byNameserver asks a nameserver of resolv.conf, in which it is at index.
func (m *machine) byNameserver(ctx context.Context, is *api.Reached, addr string, index int) way {
	w := way{name: "The nameserver " + addr, via: addr, used: true}
	q := new(dns.Msg)
	q.SetQuestion(fmt.Sprintf("nameserver%d.%s", index+1, is.Name), dns.TypeA)
	q.CheckingDisabled = true // no validator can confirm the answer
	client := dns.Client{Timeout: m.wait}
	var r *dns.Msg
	var err error
	for range askTries {
		if r, _, err = client.ExchangeContext(ctx, q, net.JoinHostPort(addr, m.port)); err == nil {
			break
		}
	}
	switch {
	case err != nil:
		w.got = "no reply (" + reason(err) + ")"
	case len(r.Answer) == 0:
		w.got = dns.RcodeToString[r.Rcode]
	default:
		var words []string
		for _, rr := range r.Answer {
			words = append(words, dns.Field(rr, dns.NumField(rr)))
		}
		w.leads = leads(strings.Join(words, " "), is)
		w.got = "another answer"
	}
	return w
}

// reason is an error of the network without the addresses that are said anyhow.
func reason(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		if op.Timeout() {
			return "timeout"
		}
		return op.Err.Error()
	}
	return err.Error()
}

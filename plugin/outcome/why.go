package outcome

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// why says in a few words why upstream i won, or did not.
func (o *outcome) why(i int) string {
	res := &o.results[i]
	switch {
	case res.err != nil:
		return short(res.err)
	case res.msg == nil && res.down:
		return fmt.Sprintf("no reply in %v; upstream is down", o.cfg.Patience)
	case res.unasked:
		return "not asked"
	case res.msg == nil && !o.ended:
		return "waiting"
	case res.msg == nil && o.since < o.cfg.Rules.Timeout:
		return "no reply yet"
	case o.silent(i):
		return fmt.Sprintf("no reply in %v, though it answers other queries", o.cfg.Rules.Timeout)
	case res.msg == nil:
		return fmt.Sprintf("no reply in %v", o.cfg.Rules.Timeout)
	}
	text := o.describe(i)
	if res.alias && o.parts != nil && i == o.winner {
		text = "alias of " + printable.Name(o.parts[1].Name) + ": " + text
	} else if res.alias {
		text = "alias: " + text
	}
	if res.late {
		text = "too late: " + text
	}
	for _, e := range extendedErrors(res.msg) {
		text += ", " + e
	}
	return text
}

// describe says what upstream i replied, and how good that is.
func (o *outcome) describe(i int) string {
	res := &o.results[i]
	switch res.verdict {
	case race.Good:
		switch {
		case i == o.winner && o.filtered:
			return "a filter's answer"
		case i == o.winner && o.outrun():
			return "preferred answer"
		case i == o.winner:
			return "first good answer"
		case o.over && o.verdict == race.Good && o.outrun():
			return "good, but not preferred"
		case o.over && o.verdict == race.Good:
			return "good, but not first"
		}
	case race.Untrusted:
		if !res.private() {
			return "not good: private_from leaves this upstream out for such names"
		}
	case race.Alias:
		if res.alias {
			return "its end is asked for"
		}
	case race.Broken:
		return "its end was not found"
	case race.Referral:
		if len(res.msg.Ns) == 0 {
			return "offers no recursion"
		}
	}
	return res.verdict.Words(typeName(o.question.Qtype), printable.Rcode(res.msg.Rcode))
}

// short is an error's cause without the addresses, which the row has.
func short(err error) string {
	var errno syscall.Errno
	var timeout net.Error
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "connection timed out"
	}
	return printable.ASCII(err.Error())
}

// extendedErrors are those in a reply (RFC 8914), as text.
func extendedErrors(m *dns.Msg) (list []string) {
	opt := m.IsEdns0()
	if opt == nil {
		return nil
	}
	for _, option := range opt.Option {
		e, ok := option.(*dns.EDNS0_EDE)
		if !ok {
			continue
		}
		text, known := dns.ExtendedErrorCodeToString[e.InfoCode]
		if !known {
			text = fmt.Sprintf("extended error %d", e.InfoCode)
		}
		if e.ExtraText != "" {
			text += " (" + printable.ASCII(printable.Short(e.ExtraText)) + ")"
		}
		list = append(list, text)
	}
	return list
}

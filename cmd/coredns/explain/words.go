package explain

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
)

// why says in a few words what upstream i has to do with the reply.
func (o *outcome) why(i int) string {
	op := &o.opinions[i]
	switch {
	case op.err != nil:
		return short(op.err)
	case op.msg == nil && op.down:
		return fmt.Sprintf("no reply in %v: down", o.cfg.Patience)
	case op.msg == nil && !o.ended:
		return "waiting"
	case op.msg == nil && o.since < o.cfg.Rules.Timeout:
		return "no reply yet"
	case op.msg == nil && o.cfg.Patience < o.cfg.Rules.Timeout: // else it would be down
		return fmt.Sprintf("no reply in %v, though it answers others", o.cfg.Rules.Timeout)
	case op.msg == nil:
		return fmt.Sprintf("no reply in %v", o.cfg.Rules.Timeout)
	}
	text := o.opinionOf(i)
	if op.late {
		text = "too late: " + text
	}
	for _, e := range extendedErrors(op.msg) {
		text += ", " + e
	}
	return text
}

// opinionOf says what upstream i replied, and what that is worth.
func (o *outcome) opinionOf(i int) string {
	op := &o.opinions[i]
	wanted := typeName(o.cfg.question.Qtype)
	switch op.verdict {
	case race.Good:
		switch {
		case i == o.winner && o.outrun():
			return "preferred answer"
		case i == o.winner:
			return "first good answer"
		case o.over && o.verdict == race.Good && o.outrun():
			return "good, but not preferred"
		case o.over && o.verdict == race.Good:
			return "good, but not first"
		}
		return "good answer"
	case race.Truncated:
		return "truncated, and not to be had over TCP"
	case race.NoDataSOA:
		return "has no " + wanted + " record"
	case race.NoData:
		return "has no " + wanted + " record, shows no SOA"
	case race.CNAMEOnly:
		if slices.ContainsFunc(op.msg.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeCNAME }) {
			return "not good: only a CNAME"
		}
		return "not good: no " + wanted + " record"
	case race.NXDomainChain:
		return "denies the end of its CNAME chain"
	case race.NXDomainSOA:
		return "denies the name"
	case race.NXDomain:
		return "denies the name, shows no SOA"
	case race.Referral:
		if len(op.msg.Ns) > 0 {
			return "refers to other servers"
		}
		return "offers no recursion"
	case race.Bogus:
		return "not good: bogus address"
	}
	return "says " + rcodeName(op.msg.Rcode)
}

// outrun reports whether the winner was not the first to bring something good.
func (o *outcome) outrun() bool {
	return o.winner >= 0 && slices.ContainsFunc(o.opinions, func(op opinion) bool {
		return op.verdict == race.Good && op.after < o.opinions[o.winner].after
	})
}

// short is an error's cause without the addresses that stand beside it anyway.
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
	return plain(err.Error())
}

// extendedErrors are what an upstream says about its reply (RFC 8914).
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
			text += " (" + plain(e.ExtraText) + ")"
		}
		list = append(list, text)
	}
	return list
}

// ttl is how many seconds a cache may keep the reply. A denial lives as long as
// its SOA says (RFC 2308, section 5).
func (o *outcome) ttl() (seconds uint32, keep bool) {
	records := slices.Clone(o.reply.Answer)
	if o.verdict.Negative() {
		for _, rr := range o.reply.Ns {
			if soa, ok := rr.(*dns.SOA); ok {
				soa = dns.Copy(soa).(*dns.SOA)
				soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl)
				records = append(records, soa)
			}
		}
	}
	for _, rr := range records {
		if t := rr.Header().Ttl; !keep || t < seconds {
			seconds, keep = t, true
		}
	}
	return seconds, keep
}

// recordsText is the records of a reply in short: the answers' data, of which as
// many are shown as fit into width, or what else there is.
func recordsText(m *dns.Msg, qtype uint16, width int) string {
	var words []string
	for _, rr := range m.Answer {
		word := data(rr)
		if t := rr.Header().Rrtype; t != qtype {
			word = typeName(t) + " " + word
		}
		words = append(words, word)
	}
	switch {
	case len(words) > 0:
	case m.Truncated:
		words = []string{"truncated"}
	case slices.ContainsFunc(m.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA }):
		words = []string{"SOA"}
	default:
		words = []string{"-"}
	}
	for n := len(words); ; n-- {
		text := strings.Join(words[:n], ", ")
		if n < len(words) {
			text += fmt.Sprintf(" +%d more", len(words)-n)
		}
		if n == 1 {
			rest := text[len(words[0]):]
			return cut(words[0], max(width-len(rest), 8)) + rest
		}
		if len(text) <= width {
			return text
		}
	}
}

// data is a record's data as text.
func data(rr dns.RR) string {
	fields := strings.SplitN(rr.String(), "\t", 5) // owner, TTL, class, type, data
	return plain(fields[len(fields)-1])
}

// cut shortens text to width bytes.
func cut(text string, width int) string {
	const dots = "..."
	runes := []rune(text)
	if len(runes) <= width || width < len(dots) {
		return text
	}
	return string(runes[:width-len(dots)]) + dots
}

// plain makes text of upstreams fit for a terminal: without anything that would
// move its cursor.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, text)
}

func typeName(t uint16) string { return dns.Type(t).String() }
func rcodeName(rc int) string {
	if name, ok := dns.RcodeToString[rc]; ok {
		return name
	}
	return fmt.Sprintf("RCODE%d", rc)
}

// span is a duration for people.
func span(d time.Duration) string {
	switch {
	case d < 9950*time.Microsecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	case d < 999500*time.Microsecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

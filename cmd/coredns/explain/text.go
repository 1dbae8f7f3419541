package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/printable"
)

// recordsText is the records of a reply in short: the data of as many answers as fit into
// width, or what the reply has instead.
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
	return printable.Text(fields[len(fields)-1])
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

// recordText is a record on one line.
func recordText(rr dns.RR) string {
	return printable.Text(rr.String())
}

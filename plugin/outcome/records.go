package outcome

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/printable"
)

// maxData is how long the data of a reply's answers is at most, in bytes.
const maxData = 40

// dataOf is the records of a reply in short: the data of as many answers as fit into width, or
// what the reply has instead. Those of the type asked for come first, then the aliases.
func dataOf(m *dns.Msg, qtype uint16, width int) string {
	var words, others []string
	for _, rr := range m.Answer {
		if t := rr.Header().Rrtype; t != qtype {
			others = append(others, typeName(t)+" "+data(rr))
		} else {
			words = append(words, data(rr))
		}
	}
	words = append(words, others...)
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
			rest, first := text[len(words[0]):], words[0]
			if room := max(width-len(rest), 8); len(first) > room {
				first = printable.Cut(first, room-len("..."))
			}
			return first + rest
		}
		if len(text) <= width {
			return text
		}
	}
}

// data is a record's data as text.
func data(rr dns.RR) string {
	fields := strings.SplitN(rr.String(), "\t", 5) // owner, TTL, class, type, data
	return printable.ASCII(fields[len(fields)-1])
}

// recordTexts are records, each on one line.
func recordTexts(records []dns.RR) []string {
	list := []string{}
	for _, rr := range records {
		list = append(list, printable.ASCII(rr.String()))
	}
	return list
}

func typeName(t uint16) string { return dns.Type(t).String() }

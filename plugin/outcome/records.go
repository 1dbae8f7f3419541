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

// record is a record in words.
type record struct {
	kind       uint16
	text, data string
}

// written are records in words.
func written(records []dns.RR) []record {
	all := make([]record, len(records))
	for i, rr := range records {
		raw, at := rr.String(), 0
		for range 4 { // owner, TTL, class and type
			at += strings.IndexByte(raw[at:], '\t') + 1
		}
		all[i] = record{rr.Header().Rrtype, printable.ASCII(strings.ReplaceAll(raw, "\t", " ")), printable.ASCII(raw[at:])}
	}
	return all
}

// dataOf is the records of a reply in short: the data of as many answers as fit into width, or
// what the reply has instead. Those of the type asked for come first, then the aliases.
func dataOf(m *dns.Msg, answer []record, qtype uint16, width int) string {
	var words, others []string
	for _, r := range answer {
		if r.kind != qtype {
			others = append(others, typeName(r.kind)+" "+r.data)
		} else {
			words = append(words, r.data)
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

// texts are records, each on one line.
func texts(records []record) []string {
	list := make([]string, len(records))
	for i := range records {
		list[i] = records[i].text
	}
	return list
}

func typeName(t uint16) string { return dns.Type(t).String() }

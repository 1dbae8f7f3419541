package cache

import (
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Flags are what of a query's flags changes the reply.
type Flags uint8

const (
	DO Flags = 1 << iota // signatures are wanted (RFC 3225, section 3)
	CD                   // and so is what fails validation (RFC 4035, section 3.2.2)
	AD                   // whether data is authentic is of interest (RFC 6840, section 5.7)

	flags Flags = 1 << iota // so many values
)

// maxKey is the length of the longest key.
const maxKey = 255 + 4 + 1 // RFC 1035, section 2.3.4

// appendKey appends to b the key of a question: two that are the same but for the case of
// letters (RFC 4343) have the same.
func appendKey(b, question []byte, f Flags) []byte {
	b = wire.AppendName(b, question)
	b = append(b, question[max(0, len(question)-4):]...)
	return append(b, byte(f))
}

// Keyed returns what a packed query asks for, and whether its reply may be kept, and may be
// given to others: it wants recursion, and has nothing after its question but, perhaps, EDNS
// without options, for options may change the reply.
func Keyed(query []byte) (question []byte, f Flags, ok bool) {
	question = wire.Question(query)
	if question == nil {
		return nil, 0, false
	}
	h := wire.Header(query)
	if h.Opcode() != 0 || h.Questions() != 1 || !h.RecursionDesired() {
		return nil, 0, false
	}
	if h.CheckingDisabled() {
		f |= CD
	}
	if h.AuthenticData() {
		f |= AD
	}
	ok, n := true, 0
	err := wire.Records(query, func(r wire.Record) bool {
		n++
		ok = r.Section == wire.Additional && r.Type == typeOPT && len(r.Data) == 0 && n == 1
		if r.TTL&(1<<15) != 0 {
			f |= DO
		}
		return ok
	})
	return question, f, ok && err == nil
}

const typeOPT = 41 // RFC 6891, section 6.1.2

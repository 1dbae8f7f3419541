// Package wire reads DNS messages as bytes (RFC 1035, section 4.1), so that a
// reply can be matched and judged without being unpacked. Nothing here trusts the
// message, every read is bounded, and nothing but [Why] allocates.
package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/maphash"
)

// HeaderSize is the length of a message's header in bytes.
const HeaderSize = 12

// Sections of a message, as passed to the function given to [Records].
const (
	Answer = iota
	Authority
	Additional
)

const (
	typeOPT   = 41  // RFC 6891, section 6.1.2
	typeRRSIG = 46  // RFC 4034, section 3
	maxName   = 255 // RFC 1035, section 2.3.4
	maxLabels = 127 // in a name of that length
)

// ErrMalformed says that a message's sections do not hold what its header
// promises.
var ErrMalformed = errors.New("malformed message")

// Header is a view of a message that is at least HeaderSize bytes long.
type Header []byte

// ID is the message's id.
func (h Header) ID() uint16 { return binary.BigEndian.Uint16(h) }

// SetID changes the message's id in place.
func (h Header) SetID(id uint16) { binary.BigEndian.PutUint16(h, id) }

// Response reports the QR bit.
func (h Header) Response() bool { return h[2]&0x80 != 0 }

// Opcode is the kind of query.
func (h Header) Opcode() int { return int(h[2]>>3) & 0xf }

// Authoritative reports the AA bit.
func (h Header) Authoritative() bool { return h[2]&0x04 != 0 }

// Truncated reports the TC bit.
func (h Header) Truncated() bool { return h[2]&0x02 != 0 }

// SetTruncated changes the TC bit in place.
func (h Header) SetTruncated(tc bool) {
	h[2] &^= 0x02
	if tc {
		h[2] |= 0x02
	}
}

// RecursionAvailable reports the RA bit.
func (h Header) RecursionAvailable() bool { return h[3]&0x80 != 0 }

// Rcode is the header's part of the response code, its lower four bits.
func (h Header) Rcode() int { return int(h[3] & 0xf) }

// Questions is QDCOUNT.
func (h Header) Questions() int { return int(binary.BigEndian.Uint16(h[4:])) }

// Answers is ANCOUNT.
func (h Header) Answers() int { return int(binary.BigEndian.Uint16(h[6:])) }

// Additionals is ARCOUNT.
func (h Header) Additionals() int { return h.records(Additional) }

func (h Header) records(section int) int {
	return int(binary.BigEndian.Uint16(h[6+2*section:]))
}

// Record is one resource record of a message.
type Record struct {
	Section int
	Owner   int // where in the message its owner's name begins
	Type    uint16
	Class   uint16
	TTL     uint32
	Data    []byte // RDATA, a part of the message
	DataAt  int    // where in the message that begins
}

// Question returns the bytes of the first question: name, type and class. It
// is nil if there is none, or if it is cut short or compressed.
func Question(msg []byte) []byte {
	if len(msg) < HeaderSize || Header(msg).Questions() == 0 {
		return nil
	}
	for i := HeaderSize; i < len(msg); i += int(msg[i]) + 1 {
		switch {
		case msg[i] > 63:
			return nil
		case msg[i] == 0:
			if i+5 > len(msg) {
				return nil
			}
			return msg[HeaderSize : i+5]
		}
	}
	return nil
}

// QuestionType is the type asked for by a question as returned by [Question].
func QuestionType(question []byte) uint16 {
	return binary.BigEndian.Uint16(question[len(question)-4:])
}

// SameQuestion reports whether two questions as returned by [Question] ask the
// same: type and class are equal, and so are the names but for the case of
// ASCII letters (RFC 4343). A nil question is like no other.
func SameQuestion(a, b []byte) bool {
	if len(a) != len(b) || len(a) < 5 {
		return false
	}
	name := len(a) - 4
	for i := range name {
		// A label's length is at most 63, so it is never taken for a letter.
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return string(a[name:]) == string(b[name:])
}

// QuestionHash is a number that is equal for questions which are the same by
// [SameQuestion], and for others hardly ever. It differs from process to process.
func QuestionHash(question []byte) uint64 {
	var buf [maxName + 4]byte
	folded := AppendName(buf[:0], question)
	return maphash.Bytes(hashSeed, append(folded, question[len(folded):]...))
}

// AppendName appends to b the name of a question as returned by [Question], in lower
// case: it is equal for names that are the same (RFC 4343).
func AppendName(b, question []byte) []byte {
	begin := len(b)
	b = append(b, question[:max(0, len(question)-4)]...)
	for i, c := range b[begin:] {
		b[begin+i] = lower(c)
	}
	return b
}

var hashSeed = maphash.MakeSeed()

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// AppendNameAt appends to b the name that begins at off in a message, in lower case and
// whole (RFC 1035, section 4.1.4). It is nil if there is none, or one that is too long.
func AppendNameAt(b, msg []byte, off int) []byte {
	begin := len(b)
	for pointers := 0; off < len(msg); {
		switch c := int(msg[off]); {
		case c == 0:
			return append(b, 0)
		case c >= 0xc0:
			if pointers++; off+2 > len(msg) || pointers >= maxLabels {
				return nil
			}
			off = int(binary.BigEndian.Uint16(msg[off:])) & 0x3fff
		case c > 63 || off+1+c > len(msg) || len(b)-begin+1+c >= maxName:
			return nil
		default:
			for _, letter := range msg[off : off+1+c] { // a length is never taken for a letter
				b = append(b, lower(letter))
			}
			off += 1 + c
		}
	}
	return nil
}

// Below reports whether a name is a subdomain of another or the same. Both are whole and
// in lower case, as [AppendName] and [AppendNameAt] make them.
func Below(name, parent []byte) bool {
	for len(name) >= len(parent) && len(parent) > 0 {
		if len(name) == len(parent) {
			return bytes.Equal(name, parent)
		}
		name = name[1+min(int(name[0]), len(name)-1):]
	}
	return false
}

// DO reports whether a query asks for signatures (RFC 3225, section 3).
func DO(query []byte) (do bool) {
	if len(query) < HeaderSize || Header(query).Additionals() == 0 {
		return false
	}
	Records(query, func(r Record) bool {
		do = do || r.Section == Additional && r.Type == typeOPT && r.TTL&(1<<15) != 0
		return true
	})
	return do
}

// Signed reports whether there is a signature in the answer or the authority section (RFC
// 4034, section 3).
func Signed(reply []byte) (signed bool) {
	Records(reply, func(r Record) bool {
		signed = r.Section != Additional && r.Type == typeRRSIG
		return !signed && r.Section != Additional
	})
	return signed
}

// HasOPT reports whether the message has an OPT record (RFC 6891, section 6.1.1).
func HasOPT(msg []byte) (has bool) {
	Records(msg, func(r Record) bool {
		has = r.Section == Additional && r.Type == typeOPT
		return !has
	})
	return has
}

// Rcode is the whole response code of a message that is at least HeaderSize bytes
// long (RFC 6891, section 6.1.3).
func Rcode(msg []byte) int {
	rcode := Header(msg).Rcode()
	Records(msg, func(r Record) bool {
		if r.Section == Additional && r.Type == typeOPT {
			rcode |= int(r.TTL >> 24 << 4)
			return false
		}
		return true
	})
	return rcode
}

// WithoutOPT returns a copy of a query that has no other record than an OPT (RFC
// 6891, section 6.1.1), without that. It is nil for any other message.
func WithoutOPT(query []byte) []byte {
	question := Question(query)
	if question == nil {
		return nil
	}
	h, records, opt := Header(query), 0, false
	if Records(query, func(r Record) bool {
		records++
		opt = r.Section == Additional && r.Type == typeOPT
		return true
	}) != nil || h.Questions() != 1 || records != 1 || !opt {
		return nil
	}
	plain := append([]byte(nil), query[:HeaderSize+len(question)]...)
	binary.BigEndian.PutUint16(plain[10:], 0)
	return plain
}

// WithUDPSize returns a copy of a query with another size of replies in its OPT (RFC
// 6891, section 6.1.2). It is nil if there is none.
func WithUDPSize(query []byte, size uint16) (changed []byte) {
	Records(query, func(r Record) bool {
		if r.Section == Additional && r.Type == typeOPT {
			changed = append([]byte(nil), query...)
			// Before the data stand class, TTL and the length of the data.
			binary.BigEndian.PutUint16(changed[r.DataAt-8:], size)
			return false
		}
		return true
	})
	return changed
}

// Records calls f with each record of msg, in order, until f returns false. It
// returns [ErrMalformed] if msg ends before the records that its header counts
// do; records before that place have then been passed to f already. Bytes
// after the last record are not looked at.
func Records(msg []byte, f func(Record) bool) error {
	if len(msg) < HeaderSize {
		return ErrMalformed
	}
	h := Header(msg)
	off := HeaderSize
	for range h.Questions() {
		if off = skipName(msg, off); off < 0 || off+4 > len(msg) {
			return ErrMalformed
		}
		off += 4
	}
	for section := Answer; section <= Additional; section++ {
		for range h.records(section) {
			owner := off
			if off = skipName(msg, off); off < 0 || off+10 > len(msg) {
				return ErrMalformed
			}
			fixed, data := msg[off:off+10], off+10
			off = data + int(binary.BigEndian.Uint16(fixed[8:]))
			if off > len(msg) {
				return ErrMalformed
			}
			if !f(Record{
				Section: section,
				Owner:   owner,
				Type:    binary.BigEndian.Uint16(fixed),
				Class:   binary.BigEndian.Uint16(fixed[2:]),
				TTL:     binary.BigEndian.Uint32(fixed[4:]),
				Data:    msg[data:off],
				DataAt:  data,
			}) {
				return nil
			}
		}
	}
	return nil
}

// Check returns [ErrMalformed] if msg does not hold the records that its header
// counts.
func Check(msg []byte) error {
	return Records(msg, func(Record) bool { return true })
}

// Why returns the text of msg's extended error (RFC 8914, section 2), with what is
// no printable ASCII replaced by question marks. It is empty if there is none.
func Why(msg []byte) (text string) {
	ExtendedErrors(msg, func(_ uint16, extra []byte) bool {
		text = string(bytes.Map(printable, extra))
		return text == ""
	})
	return text
}

// ExtendedErrors calls f with the code and the text of each extended error of msg (RFC
// 8914, section 2), until f returns false.
func ExtendedErrors(msg []byte, f func(code uint16, text []byte) bool) {
	const extended = 15
	Records(msg, func(r Record) bool {
		if r.Section != Additional || r.Type != typeOPT {
			return true
		}
		for data := r.Data; len(data) >= 4; {
			code, end := binary.BigEndian.Uint16(data), 4+int(binary.BigEndian.Uint16(data[2:]))
			if end > len(data) || code == extended && end >= 6 && !f(binary.BigEndian.Uint16(data[4:]), data[6:end]) {
				return false
			}
			data = data[end:]
		}
		return false
	})
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}

// skipName returns the offset after the name at off, or -1.
func skipName(msg []byte, off int) int {
	for off < len(msg) {
		switch c := int(msg[off]); {
		case c == 0:
			return off + 1
		case c >= 0xc0: // a pointer ends a name (RFC 1035, section 4.1.4)
			if off+2 > len(msg) {
				return -1
			}
			return off + 2
		case c > 63:
			return -1
		default:
			off += c + 1
		}
	}
	return -1
}

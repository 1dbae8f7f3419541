package wire

import (
	"encoding/binary"
	"hash/maphash"
)

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
	if string(a) == string(b) { // as nearly all are
		return true
	}
	name := len(a) - 4
	return SameName(a[:name], b[:name]) && string(a[name:]) == string(b[name:])
}

// QuestionHash is a number that is equal for questions which are the same by
// [SameQuestion], and for others hardly ever. It differs from process to process.
func QuestionHash(question []byte) uint64 {
	var buf [maxName + 4]byte
	folded := AppendName(buf[:0], question)
	return maphash.Bytes(hashSeed, append(folded, question[len(folded):]...))
}

var hashSeed = maphash.MakeSeed()

package wire

import (
	"bytes"
	"encoding/binary"
)

const (
	maxName   = 255 // RFC 1035, section 2.3.4
	maxLabels = 127 // in a name of that length
)

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

// SameName reports whether two whole names are equal but for the case of ASCII letters (RFC 4343).
func SameName(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		// A label's length is at most 63, so it is never taken for a letter.
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
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

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

package source

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
)

// decode returns a text in UTF-8. One in UTF-16 is told by its byte order mark or, as
// all that counts in a resolv.conf is ASCII, by where the zeros stand; others are left
// as they are.
func decode(text []byte) []byte {
	var order binary.ByteOrder
	switch {
	case len(text) < 2:
		return text
	case bytes.HasPrefix(text, []byte("\xff\xfe")) || text[0] != 0 && text[1] == 0:
		order = binary.LittleEndian
	case bytes.HasPrefix(text, []byte("\xfe\xff")) || text[0] == 0 && text[1] != 0:
		order = binary.BigEndian
	default:
		return text
	}
	units := make([]uint16, len(text)/2) // half a unit at the end is one that is being written
	for i := range units {
		units[i] = order.Uint16(text[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

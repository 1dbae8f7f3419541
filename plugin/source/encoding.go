package source

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
)

// decode returns a text in UTF-8. One that begins with a byte order mark of UTF-16, as
// PowerShell's ">" and Windows' editor write it, is converted; others are left as they are.
func decode(text []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(text, []byte("\xff\xfe")):
		order = binary.LittleEndian
	case bytes.HasPrefix(text, []byte("\xfe\xff")):
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

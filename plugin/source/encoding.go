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
	case bytes.HasPrefix(text, []byte("\xff\xfe")) || mostlyZero(text, 1):
		order = binary.LittleEndian
	case bytes.HasPrefix(text, []byte("\xfe\xff")) || mostlyZero(text, 0):
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

// mostlyZero reports whether one byte of nearly every two is zero, the first or the
// second, and hardly any other is.
func mostlyZero(text []byte, which int) bool {
	var zeros [2]int
	for i, b := range text {
		if b == 0 {
			zeros[i%2]++
		}
	}
	return 3*zeros[which] > len(text) && 10*zeros[1-which] < zeros[which]
}

package source

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
)

// A file in UTF-16, as some editors and PowerShell write it, says what it says.
func TestUTF16(t *testing.T) {
	const text = "# \u00fc\U0001F600\r\nnameserver 192.0.2.1\r\nnameserver 192.0.2.2\r\n"
	encode := func(order binary.AppendByteOrder, mark bool) (b []byte) {
		if mark {
			b = order.AppendUint16(b, 0xFEFF)
		}
		for _, unit := range utf16.Encode([]rune(text)) {
			b = order.AppendUint16(b, unit)
		}
		return b
	}
	d := tree{t, t.TempDir()}
	for what, b := range map[string][]byte{
		"little-endian": encode(binary.LittleEndian, true),
		"big-endian":    encode(binary.BigEndian, true),
		"UTF-8":         []byte(text),
		"UTF-8, marked": []byte("\uFEFF" + text),
	} {
		d.write("resolv.conf", string(b))
		r, err := File(d.path("resolv.conf")).Read()
		if err != nil || !equal(r.Servers, plain("192.0.2.1:53", "192.0.2.2:53")) || len(r.Warnings) > 0 || r.Open {
			t.Errorf("%s: %+v, %v", what, r, err)
		}
	}
	for what, b := range map[string][]byte{
		"little-endian, unmarked": encode(binary.LittleEndian, false),
		"big-endian, unmarked":    encode(binary.BigEndian, false),
	} {
		d.write("resolv.conf", string(b))
		if r, err := File(d.path("resolv.conf")).Read(); err == nil || !strings.Contains(err.Error(), "is not the keyword nameserver") {
			t.Errorf("%s: %+v, %v", what, r, err)
		}
	}
	for _, b := range []string{"", "\xff", "\xff\xfe", "\xff\xfen", "\x00", "\x00n", "n\x00\x00"} {
		decode([]byte(b)) // does not panic
	}
}

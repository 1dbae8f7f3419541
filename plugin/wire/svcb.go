package wire

import "encoding/binary"

// Hints calls f with each address, of 4 or 16 bytes, in the hints of an HTTPS or SVCB record
// with this data (RFC 9460, sections 2.2 and 7.3).
func Hints(data []byte, f func(addr []byte)) {
	const ipv4hint, ipv6hint = 4, 6
	if len(data) < 2 {
		return
	}
	at := skipName(data, 2)
	for at >= 0 && at+4 <= len(data) {
		key, value := binary.BigEndian.Uint16(data[at:]), at+4
		at = value + int(binary.BigEndian.Uint16(data[at+2:]))
		size := map[uint16]int{ipv4hint: 4, ipv6hint: 16}[key]
		for ; size > 0 && value+size <= min(at, len(data)); value += size {
			f(data[value : value+size])
		}
	}
}

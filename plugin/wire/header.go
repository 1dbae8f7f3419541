// Package wire reads DNS messages as bytes (RFC 1035, section 4.1), so that a
// reply can be matched and judged without being unpacked. Nothing here trusts the
// message, every read is bounded, and nothing but [ExtendedErrorText] allocates.
package wire

import "encoding/binary"

// HeaderSize is the length of a message's header in bytes.
const HeaderSize = 12

// Sections of a message, as passed to the function given to [Records].
const (
	Answer = iota
	Authority
	Additional
)

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
	h.set(2, 0x02, tc)
}

func (h Header) set(at int, bit byte, is bool) {
	h[at] &^= bit
	if is {
		h[at] |= bit
	}
}

// RecursionDesired reports the RD bit.
func (h Header) RecursionDesired() bool { return h[2]&0x01 != 0 }

// CheckingDisabled reports the CD bit.
func (h Header) CheckingDisabled() bool { return h[3]&0x10 != 0 }

// AuthenticData reports the AD bit.
func (h Header) AuthenticData() bool { return h[3]&0x20 != 0 }

// ClearAD clears, in place, the AD bit: it says that the data is authentic (RFC 6840, section
// 5.8).
func (h Header) ClearAD() { h[3] &^= 0x20 }

// SetRecursionDesired changes the RD bit in place.
func (h Header) SetRecursionDesired(rd bool) { h.set(2, 0x01, rd) }

// SetCheckingDisabled changes the CD bit in place.
func (h Header) SetCheckingDisabled(cd bool) { h.set(3, 0x10, cd) }

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

// SetAdditionals changes ARCOUNT in place.
func (h Header) SetAdditionals(n int) { binary.BigEndian.PutUint16(h[10:], uint16(n)) }

func (h Header) records(section int) int {
	return int(binary.BigEndian.Uint16(h[6+2*section:]))
}

package wire

import "encoding/binary"

// Types whose records [WellFormed] knows: those that nearly all replies are made of.
const (
	typeA     = 1
	typeNS    = 2
	typeCNAME = 5
	typeSOA   = 6
	typePTR   = 12
	typeMX    = 15
	typeTXT   = 16
	typeAAAA  = 28
	typeSRV   = 33
	typeDNAME = 39

	classIN = 1
)

// WellFormed reports whether msg is well-formed beyond doubt, so that whoever can read
// messages can read it: one question, whole names, records of class IN and of the types
// above, at most one OPT, which is the last record and has no options, and nothing after
// it. It also returns where the OPT's type stands, or 0 if there is none. Of many
// messages that are all right it is false; these have to be unpacked.
func WellFormed(msg []byte) (opt int, ok bool) {
	if len(msg) < HeaderSize || Header(msg).Questions() != 1 {
		return 0, false
	}
	off := nameEnd(msg, HeaderSize)
	if off < 0 || off+4 > len(msg) {
		return 0, false
	}
	off += 4
	for section := Answer; section <= Additional; section++ {
		for range Header(msg).records(section) {
			begin := off
			if off = nameEnd(msg, off); off < 0 || off+10 > len(msg) || opt > 0 {
				return 0, false
			}
			fixed := msg[off : off+10]
			off += 10
			end := off + int(binary.BigEndian.Uint16(fixed[8:]))
			if end > len(msg) {
				return 0, false
			}
			switch kind := binary.BigEndian.Uint16(fixed); {
			case kind == typeOPT:
				if section != Additional || off-begin != 11 || end != off {
					return 0, false
				}
				opt = begin + 1
			case binary.BigEndian.Uint16(fixed[2:]) != classIN || !knownData(msg, off, end, kind):
				return 0, false
			}
			off = end
		}
	}
	return opt, off == len(msg)
}

// knownData reports whether the data of a record is as its type has it, which is one of those
// above.
func knownData(msg []byte, off, end int, kind uint16) bool {
	switch kind {
	case typeA:
		return end-off == 4
	case typeAAAA:
		return end-off == 16
	case typeNS, typeCNAME, typePTR, typeDNAME:
		return nameEnd(msg, off) == end
	case typeMX:
		return end-off > 2 && nameEnd(msg, off+2) == end
	case typeSRV:
		return end-off > 6 && nameEnd(msg, off+6) == end
	case typeSOA:
		if off = nameEnd(msg, off); off < 0 {
			return false
		}
		off = nameEnd(msg, off)
		return off >= 0 && off+20 == end
	case typeTXT:
		if off == end {
			return false
		}
		for off < end {
			off += 1 + int(msg[off])
		}
		return off == end
	}
	return false
}

// nameEnd returns the offset after the name at off, or -1 if it is not whole, with all
// that its pointers lead to. A pointer has to point back, as they all do, to what ends
// before it.
func nameEnd(msg []byte, off int) int {
	const mostPointers = 32
	end, length, limit := -1, 1, len(msg)
	for pointers := 0; off < limit; {
		switch c := int(msg[off]); {
		case c == 0:
			if end < 0 {
				end = off + 1
			}
			return end
		case c >= 0xc0:
			if off+2 > limit {
				return -1
			}
			if end < 0 {
				end = off + 2
			}
			to := int(binary.BigEndian.Uint16(msg[off:]) & 0x3fff)
			if pointers++; pointers > mostPointers || to >= off || to < HeaderSize {
				return -1
			}
			off, limit = to, off
		case c > 63:
			return -1
		default:
			if length += c + 1; length > 255 {
				return -1
			}
			off += c + 1
		}
	}
	return -1
}

package wire

import "encoding/binary"

const typeOPT = 41 // RFC 6891, section 6.1.2

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

// HasOPT reports whether the message has an OPT record (RFC 6891, section 6.1.1).
func HasOPT(msg []byte) (has bool) {
	Records(msg, func(r Record) bool {
		has = r.Section == Additional && r.Type == typeOPT
		return !has
	})
	return has
}

// OPT returns the TTL and the data of a message's OPT record (RFC 6891, section 6.1.2).
func OPT(msg []byte) (ttl uint32, data []byte, found bool) {
	if len(msg) < HeaderSize || Header(msg).Additionals() == 0 {
		return 0, nil, false
	}
	Records(msg, func(r Record) bool {
		if found = r.Section == Additional && r.Type == typeOPT; found {
			ttl, data = r.TTL, r.Data
		}
		return !found
	})
	return ttl, data, found
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

// ExtendedErrorText returns the text of msg's extended error (RFC 8914, section 2), as it is. It
// is empty if there is none.
func ExtendedErrorText(msg []byte) (text string) {
	ExtendedErrors(msg, func(_ uint16, extra []byte) bool {
		text = string(extra)
		return text == ""
	})
	return text
}

// ExtendedErrors calls f with the code and the text of each extended error of msg (RFC
// 8914, section 2), until f returns false.
func ExtendedErrors(msg []byte, f func(code uint16, text []byte) bool) {
	const extended = 15
	if len(msg) < HeaderSize || Header(msg).Additionals() == 0 || endsInBareOPT(msg) {
		return
	}
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

// endsInBareOPT reports whether all that a message has of additional records is an OPT without
// options at its end, as nearly all replies with EDNS do.
func endsInBareOPT(msg []byte) bool {
	const size = 11 // an empty name, type, class, TTL and the length of the data
	end := msg[max(HeaderSize, len(msg)-size):]
	return Header(msg).Additionals() == 1 && len(end) == size &&
		end[0] == 0 && end[1] == 0 && end[2] == typeOPT && end[9] == 0 && end[10] == 0
}

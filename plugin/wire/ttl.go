package wire

import "encoding/binary"

// AuthorityHasSOA reports whether there is an SOA in the authority section, which makes a
// reply a denial of something (RFC 2308, section 2).
func AuthorityHasSOA(reply []byte) (has bool) {
	if len(reply) < HeaderSize || Header(reply).records(Authority) == 0 {
		return false
	}
	Records(reply, func(r Record) bool {
		has = r.Section == Authority && r.Type == typeSOA
		return !has && r.Section != Additional
	})
	return has
}

// CutTTL lowers, in place, the TTLs of records in the answer and the authority section
// that are longer, in seconds.
func CutTTL(reply []byte, answer, authority uint32) {
	Records(reply, func(r Record) bool {
		most := answer
		switch r.Section {
		case Authority:
			most = authority
		case Additional:
			return false
		}
		if r.TTL > most {
			// Before the data stand the TTL and the length of the data.
			binary.BigEndian.PutUint32(reply[r.DataAt-6:], most)
		}
		return true
	})
}

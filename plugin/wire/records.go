package wire

import (
	"encoding/binary"
	"errors"
)

// ErrMalformed says that a message's sections do not hold what its header
// promises.
var ErrMalformed = errors.New("malformed message")

// Record is one resource record of a message.
type Record struct {
	Section int
	Owner   int // where in the message its owner's name begins
	Type    uint16
	Class   uint16
	TTL     uint32
	Data    []byte // RDATA, a part of the message
	DataAt  int    // where in the message that begins
}

// Records calls f with each record of msg, in order, until f returns false. It
// returns [ErrMalformed] if msg ends before the records that its header counts
// do; records before that place have then been passed to f already. Bytes
// after the last record are not looked at.
func Records(msg []byte, f func(Record) bool) error {
	if len(msg) < HeaderSize {
		return ErrMalformed
	}
	h := Header(msg)
	off := HeaderSize
	for range h.Questions() {
		if off = skipName(msg, off); off < 0 || off+4 > len(msg) {
			return ErrMalformed
		}
		off += 4
	}
	for section := Answer; section <= Additional; section++ {
		for range h.records(section) {
			owner := off
			if off = skipName(msg, off); off < 0 || off+10 > len(msg) {
				return ErrMalformed
			}
			fixed, data := msg[off:off+10], off+10
			off = data + int(binary.BigEndian.Uint16(fixed[8:]))
			if off > len(msg) {
				return ErrMalformed
			}
			if !f(Record{
				Section: section,
				Owner:   owner,
				Type:    binary.BigEndian.Uint16(fixed),
				Class:   binary.BigEndian.Uint16(fixed[2:]),
				TTL:     binary.BigEndian.Uint32(fixed[4:]),
				Data:    msg[data:off],
				DataAt:  data,
			}) {
				return nil
			}
		}
	}
	return nil
}

// Check returns [ErrMalformed] if msg does not hold the records that its header
// counts.
func Check(msg []byte) error {
	return Records(msg, func(Record) bool { return true })
}

const typeRRSIG = 46 // RFC 4034, section 3

// Signed reports whether there is a signature in the answer or the authority section (RFC
// 4034, section 3).
func Signed(reply []byte) (signed bool) {
	Records(reply, func(r Record) bool {
		signed = r.Section != Additional && r.Type == typeRRSIG
		return !signed && r.Section != Additional
	})
	return signed
}

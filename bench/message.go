//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
)

const (
	headerSize   = 12
	nameDigits   = 8 // a query's number, in hex: no name is asked for twice, so no two queries can share an answer
	digitsAt     = headerSize + 1
	questionSize = 1 + nameDigits + len(zone) + 4
	querySize    = headerSize + questionSize
	zone         = "\x05bench\x07example\x00"
)

// newQuery returns an A query with id 0 and number 0, with or without EDNS.
func newQuery(edns bool) []byte {
	q := []byte{0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, nameDigits} // RD, one question
	q = append(q, "00000000"...)
	q = append(q, zone...)
	q = append(q, 0, 1, 0, 1)
	if edns {
		q[11] = 1
		q = append(q, opt...)
	}
	return q
}

// number makes q the query with the given number: its id is the low bits, its
// first label the digits.
func number(q []byte, n uint32) {
	binary.BigEndian.PutUint16(q, uint16(n))
	putDigits(q[digitsAt:], n)
}

func putDigits(b []byte, n uint32) {
	for i := nameDigits - 1; i >= 0; i-- {
		b[i] = "0123456789abcdef"[n&15]
		n >>= 4
	}
}

// isNumber reports whether reply echoes the question of the query n.
func isNumber(reply []byte, n uint32) bool {
	var want [nameDigits]byte
	putDigits(want[:], n)
	return len(reply) >= querySize && bytes.Equal(reply[digitsAt:digitsAt+nameDigits], want[:])
}

// kind is what a reply says. The fakes give these, the client counts them.
type kind int

const (
	good kind = iota
	nodata
	nxdomain
	servfail
	refused
	other
	kinds
)

var kindNames = [kinds]string{"good", "nodata", "nxdomain", "servfail", "refused", "other"}

func (k kind) String() string { return kindNames[k] }

// kindOf reads the header of a reply.
func kindOf(reply []byte) kind {
	switch answers := binary.BigEndian.Uint16(reply[6:]); reply[3] & 15 {
	case 0:
		if answers > 0 {
			return good
		}
		return nodata
	case 2:
		return servfail
	case 3:
		return nxdomain
	case 5:
		return refused
	}
	return other
}

// rcodes of the kinds that a fake can give.
var rcodes = [other]byte{good: 0, nodata: 0, nxdomain: 3, servfail: 2, refused: 5}

var (
	// An OPT for replies of up to 1232 bytes.
	opt = []byte("\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00")
	// The name asked for, by pointer, with an address.
	answer = []byte("\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\x0a\x01\x00\x0a")
	// The root's SOA, both of its names the root, with a minimum of an hour.
	soa = append([]byte("\x00\x00\x06\x00\x01\x00\x00\x0e\x10\x00\x16\x00\x00"),
		0, 0, 0, 1, 0, 0, 14, 16, 0, 0, 2, 88, 0, 1, 81, 128, 0, 0, 14, 16)
)

// reply makes a reply of kind k out of the query in b[:n], in place; an answer lives for ttl
// seconds, or as long as above if that is 0. It is nil if
// that is no query. One with more than a question, such as OPT, is answered with OPT.
func reply(b []byte, n int, k kind, ttl uint32) []byte {
	end := headerSize
	for end < n && b[end] != 0 {
		end += 1 + int(b[end])
	}
	end += 5 // the root label, type and class
	if n < headerSize || end > n || b[2]&0x80 != 0 {
		return nil
	}
	additional := b[11] > 0
	b[2] |= 0x80            // QR
	b[3] = 0x80 | rcodes[k] // RA
	clear(b[6:headerSize])
	switch k {
	case good:
		b[7] = 1
		b = append(b[:end], answer...)
		if ttl > 0 {
			binary.BigEndian.PutUint32(b[end+6:], ttl)
		}
	case nodata, nxdomain:
		b[9] = 1
		b = append(b[:end], soa...)
	default:
		b = b[:end]
	}
	if additional {
		b[11] = 1
		b = append(b, opt...)
	}
	return b
}

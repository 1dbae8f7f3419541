package cache

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// maxSize is how long a reply may be that is kept, in bytes.
const maxSize = 3 << 10

// body is a reply as bytes, ready to be copied, without an OPT.
type body struct {
	msg       []byte
	ttls      []uint16 // where in msg the TTLs stand
	answers   int      // so many of them are of the answer section
	authority int      // and so many of the authority section
	shortest  uint32   // of the TTLs, and of the life that an SOA gives
	soa       bool     // the authority section has one
	options   []byte   // of the OPT
}

// newBody returns the body of a reply to a question; without a reply it has no records, but
// that rcode. It is not ok if the reply is too long, or cannot be read.
func newBody(reply, question []byte, rcode int) (b body, ok bool) {
	switch {
	case reply == nil:
		b.msg = empty(question, rcode)
	default:
		opt, whole := wire.WellFormed(reply)
		switch {
		case !whole || opt > 0 && reply[opt+4] != 0: // bits of an rcode above 15
			if b.msg, b.options, ok = repack(reply, question); !ok {
				return b, false
			}
		case opt > 0: // it is the last record, and has no options
			b.msg = bytes.Clone(reply[:opt-1])
			wire.Header(b.msg).SetAdditionals(wire.Header(b.msg).Additionals() - 1)
		default:
			b.msg = bytes.Clone(reply)
		}
	}
	if len(b.msg) > maxSize {
		return b, false
	}
	b.shortest = math.MaxInt32
	err := wire.Records(b.msg, func(r wire.Record) bool {
		b.addRecord(r)
		return true
	})
	return b, err == nil
}

// addRecord notes where a record's TTL stands, and how long it lives.
func (b *body) addRecord(r wire.Record) {
	at := r.DataAt - 6 // before the data stand the TTL and the length of the data
	ttl := r.TTL
	if ttl > math.MaxInt32 { // a long one (RFC 8767, section 4)
		ttl = math.MaxInt32
		binary.BigEndian.PutUint32(b.msg[at:], ttl)
	}
	switch r.Section {
	case wire.Answer:
		b.answers++
	case wire.Authority:
		b.authority++
		if r.Type == dns.TypeSOA && len(r.Data) >= 4 {
			b.soa = true
			ttl = min(ttl, binary.BigEndian.Uint32(r.Data[len(r.Data)-4:])) // MINIMUM (RFC 2308, section 5)
		}
	}
	b.ttls = append(b.ttls, uint16(at))
	b.shortest = min(b.shortest, ttl)
}

// least is how long all of the records live.
func (b *body) least() time.Duration { return time.Duration(b.shortest) * time.Second }

// most is what a client may be told of the i-th TTL.
func (b *body) most(i int, m race.MaxTTL) uint32 {
	switch {
	case i < b.answers:
		return m.Answer
	case i < b.answers+b.authority:
		return m.Authority
	}
	return math.MaxUint32
}

// empty is a reply without records.
func empty(question []byte, rcode int) []byte {
	const response, recursionDesired, recursionAvailable = 0x80, 0x01, 0x80
	msg := make([]byte, wire.HeaderSize, wire.HeaderSize+len(question))
	msg[2], msg[3], msg[5] = response|recursionDesired, recursionAvailable|byte(rcode&0xf), 1
	return append(msg, question...)
}

// repack reads a reply and writes it anew, without its OPT, whose options it returns: those
// that are about the reply, not about the hop that it came over (R13).
func repack(reply, question []byte) (msg, options []byte, ok bool) {
	m := new(dns.Msg)
	if m.Unpack(reply) != nil {
		return nil, nil, false
	}
	name, _, err := dns.UnpackDomainName(question, 0)
	if err != nil || m.IsTsig() != nil {
		return nil, nil, false
	}
	end := question[len(question)-4:]
	m.Question = []dns.Question{{Name: name, Qtype: binary.BigEndian.Uint16(end), Qclass: binary.BigEndian.Uint16(end[2:])}}
	if opt := m.IsEdns0(); opt != nil {
		if opt.ExtendedRcode() != 0 {
			return nil, nil, false
		}
		wire.ExtendedErrors(reply, func(code uint16, text []byte) bool {
			options = AppendError(options, code, string(text))
			return true
		})
	}
	others := m.Extra[:0]
	for _, rr := range m.Extra {
		if rr.Header().Rrtype != dns.TypeOPT {
			others = append(others, rr)
		}
	}
	m.Extra, m.Compress = others, true
	msg, err = m.Pack()
	return msg, options, err == nil
}

// AppendError appends an extended error to the options of an OPT (RFC 8914, section 2).
func AppendError(options []byte, code uint16, text string) []byte {
	options = binary.BigEndian.AppendUint16(options, dns.EDNS0EDE)
	options = binary.BigEndian.AppendUint16(options, uint16(2+len(text)))
	options = binary.BigEndian.AppendUint16(options, code)
	return append(options, text...)
}

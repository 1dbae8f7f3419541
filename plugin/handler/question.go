package handler

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// packQuestion packs a question as in [wire.Question].
func packQuestion(buf []byte, q dns.Question) (question []byte, ok bool) {
	n, err := dns.PackDomainName(q.Name, buf, 0, nil, false)
	if err != nil || n+4 > len(buf) {
		return nil, false
	}
	binary.BigEndian.PutUint16(buf[n:], q.Qtype)
	binary.BigEndian.PutUint16(buf[n+2:], q.Qclass)
	return buf[:n+4], true
}

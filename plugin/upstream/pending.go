package upstream

import "github.com/miekg/dns"

// pending holds the exchanges that wait for a reply on one socket, by id.
type pending map[uint16]*Exchange

// add enters x under a free id, drawn at random (RFC 5452, section 9.2).
func (p pending) add(x *Exchange) uint16 {
	for {
		id := dns.Id()
		if _, taken := p[id]; !taken {
			p[id] = x
			return id
		}
	}
}

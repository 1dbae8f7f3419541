package handler

import (
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// special is the reply to a question that no upstream is asked (R14), and its verdict; nil
// for all others.
func special(p *pool.Pool, question []byte, r *dns.Msg) (m *dns.Msg, verdict race.Verdict) {
	if question == nil {
		return nil, race.None
	}
	if m, verdict = p.Denial(question); m != nil {
		m.SetRcode(r, m.Rcode)
	}
	return m, verdict
}

package upstream

import (
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/known"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// packedQuery returns a query that is known to be well-formed.
func packedQuery(name string, qtype uint16) []byte {
	msg, err := new(dns.Msg).SetQuestion(name, qtype).Pack()
	if err != nil {
		panic(err) // of a constant
	}
	return msg
}

// qtype is the type that the exchange asks for.
func (x *Exchange) qtype() uint16 { return questionType(x.query.msg) }

func questionType(msg []byte) uint16 {
	if q := wire.Question(msg); q != nil {
		return wire.QuestionType(q)
	}
	return dns.TypeNone
}

// avoidEDNS takes EDNS from a query that has yet to be sent, if the upstream does not take
// it.
func (x *Exchange) avoidEDNS(now instant.Time) {
	if !x.u.known.EDNS.Avoid(now) {
		return
	}
	if plain := wire.WithoutOPT(x.query.msg); plain != nil {
		x.query.msg = plain
	}
}

// lastPacketPlain takes EDNS from the last packet that is sent, if nothing has shown that
// the upstream knows it.
func (x *Exchange) lastPacketPlain(now instant.Time) {
	if x.query.plain != asIs || x.u.known.EDNS.Known(now) {
		return
	}
	if plain := wire.WithoutOPT(x.query.msg); plain != nil {
		x.query.withEDNS, x.query.msg, x.query.plain = x.query.msg, plain, lastPacket
	}
}

// restoreEDNS gives the query the EDNS back that its last packet went without.
func (x *Exchange) restoreEDNS() {
	if x.query.withEDNS != nil {
		x.query.msg, x.query.withEDNS = x.query.withEDNS, nil
	}
}

// rejectsEDNS learns from a reply what the upstream makes of EDNS, and reports whether the
// query is to be asked again, without it.
func (x *Exchange) rejectsEDNS(reply []byte, now instant.Time) bool {
	e := &x.u.known.EDNS
	switch {
	case x.query.plain == afterRejected:
		if e.AskedAgain(wire.Rcode(x.spare.msg), wire.Rcode(reply), now) && wire.HasOPT(x.spare.msg) {
			e.Show(now)
		}
		return false
	case x.query.plain == lastPacket && !wire.HasOPT(reply):
		e.AnsweredPlain(now)
		return false
	case wire.Header(x.query.msg).Additionals() == 0:
		return false
	}
	rcode := wire.Header(reply).Rcode()
	if rcode == dns.RcodeSuccess || rcode == dns.RcodeNameError {
		if e.KnownWell(now) {
			return false
		}
		if !wire.HasOPT(reply) {
			e.Take(now)
			return false
		}
		if rcode = wire.Rcode(reply); rcode != dns.RcodeBadVers {
			e.Show(now)
		}
	}
	if !e.Rejected(rcode, now) {
		return false
	}
	plain := wire.WithoutOPT(x.query.msg)
	if plain == nil {
		return false
	}
	x.query.msg, x.query.plain = plain, afterRejected
	x.keep(reply) // which says more than that to the query without
	return true
}

// wasNotEDNS reports whether a reply to the query without EDNS is as bad as the one that
// rejected EDNS, which is the one that counts then.
func (x *Exchange) wasNotEDNS(reply []byte) bool {
	return x.query.plain == afterRejected && known.InVain(wire.Rcode(x.spare.msg), wire.Rcode(reply)) && wire.Check(x.spare.msg) == nil
}

// learnSigning notes that the upstream signs, if a reply shows it. Signatures that are
// asked for by type show nothing: every resolver hands them on. Where nobody has asked [Upstream.Signs],
// nobody wants to know.
func (x *Exchange) learnSigning(reply []byte, now instant.Time) {
	d := &x.u.known.DNSSEC
	if !d.Asked() || d.KnownWell(now) || !wire.DO(x.query.msg) {
		return
	}
	if qtype := x.qtype(); qtype != dns.TypeRRSIG && qtype != dns.TypeANY && wire.Signed(reply) {
		d.Show(now)
	}
}

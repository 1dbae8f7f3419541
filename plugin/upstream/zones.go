package upstream

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/known"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// name appends the name that the exchange asks for to b.
func (x *Exchange) name(b []byte) []byte { return wire.AppendName(b, wire.Question(x.query.msg)) }

// unresponsive reports whether no reply to a question is to be expected, though the upstream
// answers others: for its type, or for its name.
func (u *Upstream) unresponsive(question []byte) (forType, forName bool) {
	if question == nil {
		return false, false
	}
	forType = u.known.Types.Unresponsive(wire.QuestionType(question))
	if len(u.known.Zones) > 0 {
		var buf [255]byte
		forName = u.known.Zones.Unresponsive(wire.AppendName(buf[:0], question))
	}
	return forType, forName
}

// noteZoneSilence notes, once for each exchange, that it is without reply for as long as one is
// of use, though others were answered meanwhile. It is called when nobody waits for it any
// longer, for a name that takes long is no sign of anything.
func (x *Exchange) noteZoneSilence(now instant.Time, out *outbox) {
	u := x.u
	if x.wait.zoneReported || x.phase == ended || x.cutOff() || now.Sub(x.wait.silenceFrom) < u.cfg.Timeout {
		return
	}
	x.wait.zoneReported = true
	if !u.known.AnsweredOthers(x.wait.silenceFrom) {
		return
	}
	var buf [255]byte
	name := x.name(buf[:0])
	var became, probe []string
	if !x.probe {
		became, probe = u.known.Zones.Unanswered(name, now, u.cfg.Patience/2)
	} else if u.known.Zones.OwnUnanswered(name) {
		became = []string{string(name)}
	}
	for _, zone := range probe {
		out.add(job{kind: probeOneJob, msg: addressQuery(zone)})
	}
	for _, zone := range became {
		out.add(job{kind: zoneJob, msg: []byte(zone), is: true})
	}
	if len(became) == 0 {
		return
	}
	for y := range u.waitingLocked() {
		if _, is := u.unresponsive(wire.Question(y.query.msg)); is {
			out.add(job{kind: unresponsiveJob, to: y.to, is: true})
		}
	}
}

// noteZoneAnswered notes that a question for the exchange's name was answered. A failure that
// comes when it is of no use any more is no answer: so reply resolvers that ask another one which
// drops the name.
func (x *Exchange) noteZoneAnswered(reply []byte, now instant.Time, out *outbox) {
	if now.Sub(x.wait.silenceFrom) >= x.u.cfg.Timeout && known.Failure(wire.Header(reply).Rcode()) {
		x.noteZoneSilence(now, out)
		return
	}
	if len(x.u.known.Zones) == 0 {
		return
	}
	var buf [255]byte
	for _, zone := range x.u.known.Zones.Answered(x.name(buf[:0])) {
		out.add(job{kind: zoneJob, msg: []byte(zone)})
	}
}

// isZoneProbe reports whether the exchange asks for a zone's own name, because names below it
// stayed without reply.
func (x *Exchange) isZoneProbe() bool {
	question := wire.Question(x.query.msg)
	return x.probe && len(question) > 0 && question[0] != 0
}

// addressQuery asks for the address of a name in wire format.
func addressQuery(name string) []byte {
	const recursionDesired = 0x01
	msg := append([]byte{2: recursionDesired, 5: 1, wire.HeaderSize - 1: 0}, name...)
	msg = binary.BigEndian.AppendUint16(msg, dns.TypeA)
	return binary.BigEndian.AppendUint16(msg, dns.ClassINET)
}

// presentation is a name in presentation format (RFC 1035, section 5.1), as logs and metrics
// have it: odd characters are escaped.
func presentation(name []byte) string {
	text, _, err := dns.UnpackDomainName(name, 0)
	if err != nil {
		return "?"
	}
	return text
}

package upstream

import (
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

const (
	// enoughSilences is how many questions of one type in a row must stay without
	// reply, while others are answered, before the upstream is deaf to that type (R5).
	enoughSilences = 3
	// maxDeaf bounds the types that are kept in mind.
	maxDeaf = 8
)

// hearing is what is known of an upstream and the types of questions: some gateways
// drop those of AAAA or HTTPS, and let all others pass (RFC 4074). Its zero value
// knows of no silence.
type hearing []silence

// silence is a type of which questions stayed without reply.
type silence struct {
	qtype  uint16
	n      uint8     // in a row, up to enoughSilences
	last   time.Time // when the last was noticed
	probed time.Time // when the upstream was last asked something easy of that type
}

func (h hearing) find(qtype uint16) *silence {
	for i := range h {
		if h[i].qtype == qtype {
			return &h[i]
		}
	}
	return nil
}

// deaf reports whether nobody should wait for a reply to a question of that type.
func (h hearing) deaf(qtype uint16) bool {
	s := h.find(qtype)
	return s != nil && s.n >= enoughSilences
}

// unheard notes that a question of that type stayed without reply while others were
// answered. Those noticed within apart of another count as one: they may have one
// cause. It reports whether the upstream is deaf to the type since that, and whether
// it should be asked something easy of it: the name may take long.
func (h *hearing) unheard(qtype uint16, now time.Time, apart time.Duration) (turned, probe bool) {
	s := h.find(qtype)
	if s == nil {
		if len(*h) >= maxDeaf {
			return false, false
		}
		*h = append(*h, silence{qtype: qtype})
		s = &(*h)[len(*h)-1]
	}
	if s.n < enoughSilences && now.Sub(s.last) >= apart {
		s.n, s.last = s.n+1, now
		turned = s.n == enoughSilences
	}
	if now.Sub(s.probed) >= 2*apart {
		s.probed, probe = now, true
	}
	return turned, probe
}

// heard notes a reply to a question of that type. It reports whether the upstream was
// deaf to it.
func (h *hearing) heard(qtype uint16) (turned bool) {
	for i, s := range *h {
		if s.qtype == qtype {
			*h = append((*h)[:i], (*h)[i+1:]...)
			return s.n >= enoughSilences
		}
	}
	return false
}

// qtype is the type that the exchange asks for.
func (x *Exchange) qtype() uint16 {
	if q := wire.Question(x.msg); q != nil {
		return wire.QuestionType(q)
	}
	return dns.TypeNone
}

// unheardLocked notes that the exchange has stayed without reply for so long that it
// should have had one, since others had. Once.
func (x *Exchange) unheardLocked(now time.Time, out *outbox) {
	if due := x.unheardDueLocked(); due.IsZero() || now.Before(due) {
		return
	}
	x.unheard = true
	if x.u.presence.down || !x.u.presence.last.After(x.watched) {
		return
	}
	qtype := x.qtype()
	turned, probe := x.u.presence.hearing.unheard(qtype, now, x.u.cfg.Patience/2)
	if probe {
		out.add(job{kind: probeTypeJob, qtype: qtype})
	}
	if !turned {
		return
	}
	out.add(job{kind: hearingJob, qtype: qtype, down: true})
	for y := range x.u.openLocked() {
		if y.qtype() == qtype {
			out.add(job{kind: deafJob, to: y.to})
		}
	}
}

// unheardDueLocked is when a silence to the exchange would be noticed while others are
// answered; zero means never.
func (x *Exchange) unheardDueLocked() time.Time {
	if x.unheard || x.phase == ended {
		return time.Time{}
	}
	return x.watched.Add(x.u.patienceLocked())
}

// hearsLocked notes that a question of the exchange's type was answered.
func (x *Exchange) hearsLocked(out *outbox) {
	if len(x.u.presence.hearing) == 0 {
		return
	}
	if qtype := x.qtype(); x.u.presence.hearing.heard(qtype) {
		out.add(job{kind: hearingJob, qtype: qtype})
	}
}

// probeType asks for records of that type at the root, which takes the resolver no
// time.
func (u *Upstream) probeType(qtype uint16) {
	m := new(dns.Msg)
	m.SetQuestion(".", qtype)
	if msg, err := m.Pack(); err == nil {
		u.Ask(&Query{Msg: msg}, prober{})
	}
}

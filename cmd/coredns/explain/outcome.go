package explain

import (
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// outrun reports whether the winner was not the first to bring something good.
func (o *outcome) outrun() bool {
	return o.winner >= 0 && slices.ContainsFunc(o.opinions, func(op opinion) bool {
		return op.verdict == race.Good && op.after < o.opinions[o.winner].after
	})
}

// ttl is how many seconds a cache may keep the reply. A denial lives as long as
// its SOA says (RFC 2308, section 5).
func (o *outcome) ttl() (seconds uint32, keep bool) {
	records := slices.Clone(o.reply.Answer)
	if o.verdict.Negative() {
		for _, rr := range o.reply.Ns {
			if soa, ok := rr.(*dns.SOA); ok {
				soa = dns.Copy(soa).(*dns.SOA)
				soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl)
				records = append(records, soa)
			}
		}
	}
	for _, rr := range records {
		if t := rr.Header().Ttl; !keep || t < seconds {
			seconds, keep = t, true
		}
	}
	return seconds, keep
}

// opinion is what became of one upstream.
type opinion struct {
	server  server.Server
	after   time.Duration // when it replied or failed
	msg     *dns.Msg      // its reply; nil: none that can be read
	verdict race.Verdict
	err     error // why there is no reply; nil: it may still come
	down    bool
	late    bool // the race was over without it
}

func (op *opinion) pending() bool { return op.msg == nil && op.err == nil }

// outcome is what is known of a race, and of those that were listened to when
// it was over.
type outcome struct {
	cfg      *config
	opinions []opinion
	since    time.Duration // the beginning
	ended    bool          // nobody is listened to any more

	// Of the race. Nothing of it is known until it is over.
	over        bool
	took        time.Duration
	interrupted bool // it was not over by its rules
	winner      int  // whose reply is given, by index; -1: nobody's
	verdict     race.Verdict
	conclusive  bool
	special     bool     // dnsmus replies itself
	filtered    bool     // by a filter, which has the last word
	missing     []int    // who gave no opinion; of no interest if one is good
	reply       *dns.Msg // what dnsmus replies
}

// read takes what a leg reports.
func (op *opinion) read(leg race.LegReport) {
	op.after, op.err, op.down = leg.After, leg.Err, leg.Down
	if leg.Msg == nil {
		return
	}
	if op.msg, op.err = unpack(leg.Msg); op.msg != nil {
		op.verdict, op.late = leg.Verdict, leg.Late
	}
}

// unpack reads hostile bytes in a goroutine that has nobody above it.
func unpack(msg []byte) (m *dns.Msg, err error) {
	defer func() {
		if recover() != nil {
			m, err = nil, race.ErrUnreadable
		}
	}()
	m = new(dns.Msg)
	if m.Unpack(msg) != nil {
		return nil, race.ErrUnreadable
	}
	return m, nil
}

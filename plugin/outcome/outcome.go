// Package outcome says what became of a race, and of the replies that came when it was over:
// for explain, and for the control socket, in the types of that. The reasons in them are for
// people.
package outcome

import (
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// outcome is what is known of a race, and of the replies that came when it was over.
type outcome struct {
	cfg      *option.Values
	question dns.Question
	results  []result
	since    time.Duration // it began
	ended    bool          // no more replies are waited for

	// Of the race. Nothing of it is known until it is over.
	over        bool
	res         *pool.Result
	took        time.Duration
	interrupted bool // it was ended before it was decided
	winner      int  // whose reply is given, by index; -1: none
	verdict     race.Verdict
	conclusive  bool
	special     bool          // dnsmus replies itself
	filtered    bool          // the reply is a filter's, and final
	missing     []int         // the upstreams that gave no opinion; meaningless if one reply is good
	missingEnds []api.Missing // the same of the end that the reply's alias leads to
	parts       []pool.Part
	reply       *dns.Msg // what dnsmus replies
	kept        *api.Kept
	known       *dns.Msg // the same while the name has an answer of another type; nil: that makes no difference
}

// result is what became of one upstream.
type result struct {
	upstream string
	after    time.Duration // when it replied or failed
	msg      *dns.Msg      // its reply; nil: none that can be read
	raw      []byte        // the same in wire format
	verdict  race.Verdict
	err      error // why there is no reply; nil: it may still come
	down     bool
	late     bool // the race was over without it
	alias    bool // the reply is an alias, and the verdict is on what it leads to
	stream   bool // the reply came over a stream
	unasked  bool
}

func (res *result) pending() bool { return res.msg == nil && res.err == nil }

// read takes a leg's report.
func (res *result) read(leg race.LegReport) {
	res.after, res.err, res.down, res.unasked = leg.After, leg.Err, leg.Down, leg.Unasked
	if leg.Msg == nil {
		return
	}
	if res.msg, res.err = unpack(leg.Msg); res.msg != nil {
		res.raw, res.verdict, res.late, res.alias, res.stream = leg.Msg, leg.Verdict, leg.Late, leg.Alias, leg.Stream
	}
}

// unpack reads bytes that may be hostile; a panic of the library would end the program.
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

// outrun reports whether a good reply came before the winner's.
func (o *outcome) outrun() bool {
	return o.winner >= 0 && slices.ContainsFunc(o.results, func(res result) bool {
		return res.verdict == race.Good && res.after < o.results[o.winner].after
	})
}

// silent reports whether upstream i left the question without reply, though it is up.
func (o *outcome) silent(i int) bool {
	res := &o.results[i]
	return res.pending() && !res.down && !res.unasked && o.cfg.Patience < o.cfg.Rules.Timeout // else it would be down
}

// final reports whether the reply is a denial that is the last word, though not all upstreams
// were waited for.
func (o *outcome) final() bool {
	return o.verdict.Negative() && o.conclusive && !o.special &&
		slices.ContainsFunc(o.results, func(res result) bool { return res.msg == nil || res.late })
}

// ttl is how many seconds a cache may keep a reply of that verdict; nil: it should not. A
// denial lives as long as its SOA says (RFC 2308, section 5).
func (o *outcome) ttl(reply *dns.Msg) (seconds *uint32) {
	if reply == nil {
		return nil
	}
	records := slices.Clone(reply.Answer)
	if o.verdict.Negative() {
		for _, rr := range reply.Ns {
			if soa, ok := rr.(*dns.SOA); ok {
				soa = dns.Copy(soa).(*dns.SOA)
				soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl)
				records = append(records, soa)
			}
		}
	}
	for _, rr := range records {
		if t := rr.Header().Ttl; seconds == nil || t < *seconds {
			seconds = &t
		}
	}
	return seconds
}

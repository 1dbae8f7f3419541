package upstream

import (
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/link"
)

// Standing is what is known of an upstream at one moment, for people.
type Standing struct {
	Down    bool
	Link    link.State
	Waiting int // exchanges that wait for its reply

	UDP, Stream PathStanding
	OverStream  bool // an exchange that wants UDP begins over a stream

	NoEDNS    time.Time     // so long it is asked without EDNS; zero: it is asked with it
	EDNS      bool          // it has shown that it knows it
	Signs     bool          // it has shown that it does DNSSEC
	RTT       time.Duration // over UDP, smoothed; 0: none was timed
	StreamRTT time.Duration // likewise

	Types []uint16 // of questions that it never answers
	Zones []string // for which it answers no questions, in wire format
}

// PathStanding is what is known of a path.
type PathStanding struct {
	Used   bool      // it has brought a reply, or failed
	Failed bool      // it brought nothing when it was last asked
	Retry  time.Time // when it is tried again beside the other one; zero: unknown
}

// Standing returns what is known of the upstream.
func (u *Upstream) Standing() Standing {
	now := instant.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	k := &u.known
	s := Standing{
		Down: k.Down, Link: u.link,
		EDNS: k.EDNS.Known(now), Signs: k.DNSSEC.Known(now),
		RTT: k.RTT.Smoothed(), StreamRTT: k.StreamRTT.Smoothed(),
		Types: k.Types.All(), Zones: k.Zones.All(),
		OverStream: u.cfg.ForceTCP || k.BeginsOverStream(),
	}
	for range u.waitingLocked() {
		s.Waiting++
	}
	if until := k.EDNS.AvoidedUntil(now); !until.IsZero() {
		s.NoEDNS = until.Time()
	}
	for _, p := range []struct {
		to   *PathStanding
		used bool
		fail bool
		at   instant.Time
	}{
		{&s.UDP, k.UDP.Used(), k.UDP.HasFailed(), k.UDP.RetryAt()},
		{&s.Stream, k.Stream.Used(), k.Stream.HasFailed(), k.Stream.RetryAt()},
	} {
		p.to.Used, p.to.Failed = p.used, p.fail
		if p.fail && !p.at.IsZero() {
			p.to.Retry = p.at.Time()
		}
	}
	slices.Sort(s.Zones)
	return s
}

// Package known holds what is known of one upstream from its replies and its silences:
// whether it is up, how long its replies take, over which path they come, and what it
// makes of EDNS, of DNSSEC and of each type of question.
//
// What has happened is noted, and questions are answered; what follows from it is returned,
// for others to do. The package has no clock and no lock, sends nothing, and knows no query.
package known

import "time"

// Facts are what is known of an upstream. The zero value is that of one which was never
// asked, and is taken to be up.
type Facts struct {
	Health
	Turn      uint64 // how often it went down or came up
	Fastest   Latency
	RTT       RTT // over UDP
	StreamRTT RTT
	UDP       Path
	Stream    Path
	EDNS      EDNS
	DNSSEC    DNSSEC
	Types     Types
	Probed    time.Time // when it was last probed
	Resumed   time.Time // when a silence over UDP ended, be it a short one
}

// Silence is what a reply has ended.
type Silence struct {
	Down    bool          // the upstream was down
	DownFor time.Duration // for so long
	Noticed bool          // packets may have been lost in it: the upstream was down, or not heard for a while
	Since   time.Time     // when it was heard before
}

// Heard notes that the upstream replies, over UDP or a stream, and returns which silence
// that has ended.
func (f *Facts) Heard(overUDP bool, now time.Time) Silence {
	ended := Silence{Down: f.Down, DownFor: now.Sub(f.DownSince), Since: f.Last}
	ended.Noticed = f.Down || now.Sub(f.Last) >= minRTO
	f.Health.heard(now)
	if ended.Down {
		f.Turn++
		f.DNSSEC.begun = time.Time{}
	}
	if ended.Noticed && overUDP {
		f.Resumed = now
	}
	return ended
}

// Silent notes that an exchange begun at begun is unanswered at now. It reports whether
// the upstream went down by that (R5).
func (f *Facts) Silent(begun, now time.Time, patience time.Duration) (wentDown bool) {
	if !f.Health.silent(begun, now, patience) {
		return false
	}
	f.Turn++
	return true
}

// SetDown makes the upstream down or up, for a reason of which it knows nothing. It reports
// whether that is a change, and for how long it was the other before.
func (f *Facts) SetDown(down bool, now time.Time) (changed bool, after time.Duration) {
	if down == f.Down {
		return false, 0
	}
	after = now.Sub(f.DownSince)
	f.Turn++
	f.Down, f.DownSince = down, now
	return true, after
}

// ForgetPaths takes both paths for ones that are expected to work, as after a change of
// the network.
func (f *Facts) ForgetPaths() { f.UDP, f.Stream = Path{}, Path{} }

// Patience is the silence that makes the upstream down: least, but more, up to most, where
// even its fastest replies take long.
func (f *Facts) Patience(least, most time.Duration) time.Duration {
	return f.Fastest.patience(least, most)
}

// Stall is how long a stream may leave a query without a reply before it is passed over.
func (f *Facts) Stall() time.Duration { return max(LeastStall, f.StreamRTT.Timeout()) }

// LeastStall is that of an upstream which replies quickly, or never did.
const LeastStall = 500 * time.Millisecond

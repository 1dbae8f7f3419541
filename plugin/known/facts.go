// Package known holds what is known of one upstream from its replies and its silences:
// whether it is up, how long its replies take, over which path they come, and how it takes
// EDNS, DNSSEC, each type of question and zones.
//
// Some methods note what has happened, and return what follows from that, for the caller to do.
// Others answer questions about the upstream. The package has no clock and no lock, sends
// nothing, and knows no query. Rules, such as R5, are those of DESIGN.md.
package known

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// Facts are what is known of an upstream. The zero value is for an upstream that was never
// asked; it counts as up.
type Facts struct {
	Health
	Turn      uint64 // how often it went down or came up; it numbers these changes
	Fastest   Latency
	RTT       RTT // over UDP
	StreamRTT RTT
	UDP       Path
	Stream    Path
	EDNS      EDNS
	DNSSEC    DNSSEC
	DNS64     DNS64
	Types     Types
	Zones     Zones
	Probed    instant.Time // when it was last probed
	Easy      instant.Time // when it last answered a probe, which is easy
	Resumed   instant.Time // when a reply over UDP last ended a silence, even a short one
}

// Silence is the silence that a reply has ended.
type Silence struct {
	Down    bool          // the upstream was down
	DownFor time.Duration // if it was, for how long
	Noticed bool          // the upstream was down, or sent nothing for a while, in which packets may have been lost
	Since   instant.Time  // when it replied before
}

// Heard notes that the upstream replies, over UDP or a stream, and returns which silence
// that has ended.
func (f *Facts) Heard(overUDP bool, now instant.Time) Silence {
	ended := Silence{Down: f.Down, DownFor: now.Sub(f.DownSince), Since: f.Last}
	ended.Noticed = f.Down || now.Sub(f.Last) >= minRTO
	f.Health.heard(now)
	if ended.Down {
		f.Turn++
		f.DNSSEC.begun = instant.Never
	}
	if ended.Noticed && overUDP {
		f.Resumed = now
	}
	return ended
}

// Silent notes that a query that was asked at begun is unanswered at now. It reports whether
// the upstream counts as down from now on (R5).
func (f *Facts) Silent(begun, now instant.Time, patience time.Duration) (wentDown bool) {
	if !f.Health.silent(begun, now, patience) {
		return false
	}
	f.Turn++
	return true
}

// Chooses reports whether the upstream answers some names, but no probes: since a reply last ended
// that it was down, none was answered, and that was not long ago. It is asked of one that is down
// again.
func (f *Facts) Chooses(now instant.Time) bool {
	return !f.UpSince.IsZero() && f.Easy.Before(f.UpSince) && now.Sub(f.Last) < choosesFor
}

// choosesFor is how long that is known of it.
const choosesFor = time.Hour

// SetDown notes that the upstream is down, or up, for a reason other than its replies or its
// silence. It reports whether that is a change, and how long it has been since the last one.
func (f *Facts) SetDown(down bool, now instant.Time) (changed bool, after time.Duration) {
	if down == f.Down {
		return false, 0
	}
	after = now.Sub(f.DownSince)
	f.Turn++
	f.Down, f.DownSince = down, now
	return true, after
}

// ForgetPaths forgets what is known of both paths, so that they are expected to work. It is
// for after a change of the network.
func (f *Facts) ForgetPaths() { f.UDP, f.Stream = Path{}, Path{} }

// Patience is how long a silence makes the upstream down: least, or more if even its fastest
// replies take long, but at most most.
func (f *Facts) Patience(least, most time.Duration) time.Duration {
	return f.Fastest.patience(least, most)
}

// Usual is how long its replies usually take, over the path that was timed; 0: there were none.
func (f *Facts) Usual() time.Duration {
	usual := f.RTT.Usual()
	if usual == 0 {
		usual = f.StreamRTT.Usual()
	}
	return max(time.Duration(f.Fastest), usual)
}

// Stall is how long a stream may leave a query without a reply before others are used instead.
func (f *Facts) Stall() time.Duration { return max(LeastStall, f.StreamRTT.Timeout()) }

// LeastStall is the Stall of an upstream that replies quickly, or never did.
const LeastStall = 500 * time.Millisecond

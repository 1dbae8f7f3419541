package known

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

const (
	// So many exchanges in a row a path must leave to the other one before others begin
	// there. Of UDP one may be chance, three lost packets; a stream has had longer.
	enoughUDP    = 2
	enoughStream = 1
	// mostFailures is enough to do without the path, where it can be.
	mostFailures = 2
	// firstRetry and lastRetry bound the time after which a path that brought nothing is
	// tried once more, beside the one that works; it doubles each time.
	firstRetry = 5 * time.Second
	lastRetry  = time.Minute
)

// Path is what is known of one of the two paths to an upstream, UDP or streams (R6): a
// filter may let only one of them pass. Its zero value is one that is expected to work.
type Path struct {
	failures uint8        // exchanges in a row that it left to the other path, up to mostFailures
	heard    instant.Time // when it last brought a reply
	retry    instant.Time // when it should be tried again
	pause    time.Duration
}

// FirstPath says whether an exchange that wants a stream, or UDP, begins over a stream. If
// the wanted path has brought nothing lately, and the other one has, it begins on the other;
// now and then on both, to see whether the wanted one works again (R6).
func (f *Facts) FirstPath(wantsStream bool, now instant.Time) (stream, both bool) {
	udpBlocked, streamBlocked := f.UDP.blocked(enoughUDP), f.Stream.blocked(enoughStream)
	switch {
	case wantsStream && streamBlocked && !udpBlocked:
		return false, f.Stream.TryAgain(now)
	case !wantsStream && udpBlocked && !streamBlocked:
		return true, f.UDP.TryAgain(now)
	}
	return wantsStream, false
}

// blocked reports whether the path has failed so often.
func (p *Path) blocked(enough uint8) bool { return p.failures >= enough }

// Hopeless reports whether the path is not to be waited for.
func (p *Path) Hopeless() bool { return p.failures >= mostFailures }

// HasFailed reports whether the path brought nothing when it was last asked.
func (p *Path) HasFailed() bool { return p.failures > 0 }

// Works notes that the path brought a reply.
func (p *Path) Works(now instant.Time) { *p = Path{heard: now} }

// Dead reports whether the path has brought nothing for so long that it is not worth a
// wait, where it is the last one.
func (p *Path) Dead(now instant.Time) bool { return now.Sub(p.heard) > lastRetry }

// RepliedSince reports whether the path brought a reply after since, and has not failed
// after that.
func (p *Path) RepliedSince(since instant.Time) bool { return p.failures == 0 && p.heard.After(since) }

// Failed notes that the path brought nothing to an exchange which the other path
// answered.
func (p *Path) Failed(now instant.Time) {
	if p.failures < mostFailures {
		p.failures++
	}
	if now.Before(p.retry) {
		return
	}
	p.pause = min(max(2*p.pause, firstRetry), lastRetry)
	p.retry = now.Add(p.pause)
}

// TryAgain reports whether a path that failed should be tried beside the other one, and
// takes note of that.
func (p *Path) TryAgain(now instant.Time) bool {
	if p.failures == 0 || now.Before(p.retry) {
		return false
	}
	p.pause = min(2*p.pause, lastRetry)
	p.retry = now.Add(p.pause)
	return true
}

package source

import (
	"bytes"
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/server"
)

const (
	restTime = 2 * time.Second // without a change, after which a file counts that may have been half written
	restMost = 4 * time.Second // after which it counts even if it goes on changing
)

// reading is the result of reading a source: what it names, or why it is unusable.
type reading struct {
	Reading
	err error
}

// settling decides when a file that is written in place counts: when the servers that it names
// take the place of those in use. If it only adds servers, it counts at once. If it may be
// half written, it counts when it has not changed for restTime. If it goes on changing for
// restMost, the fullest reading of that time counts. The zero value is for a file that has
// settled: nothing in it is waiting to count.
type settling struct {
	began   time.Time // since when the file may be half written; zero: it is not
	last    reading
	changed time.Time // when last was read for the first time
	fullest reading   // the one since began that is least likely to be a half
}

// add takes a new reading of the file; inUse are the servers of the reading that counts so far.
// It returns the reading that counts now, or false if the file has to be read again first.
func (s *settling) add(now reading, inUse []server.Server, at time.Time) (counts reading, settled bool) {
	if !now.maybeHalf(inUse) {
		*s = settling{}
		return now, true
	}
	if s.began.IsZero() {
		*s = settling{began: at, last: now, changed: at, fullest: now}
	}
	if !now.equal(s.last) {
		s.last, s.changed = now, at
	}
	if !now.lessThan(s.fullest) {
		s.fullest = now
	}
	switch {
	case at.Sub(s.changed) >= restTime:
		counts = now
	case at.Sub(s.began) >= restMost:
		counts = s.fullest
	default:
		return reading{}, false
	}
	*s = settling{}
	return counts, true
}

// rested reports whether the file was last modified so long ago that nobody is writing it. It
// is for a file that is read for the first time: add would have to wait to find that out.
func (r reading) rested(at time.Time) bool {
	return !r.Modified.IsZero() && at.Sub(r.Modified) >= restTime
}

// maybeHalf reports whether the file may be half written: it is unusable, or lacks servers that
// are in use, or its last line has no end and does not name a server that is in use.
func (r reading) maybeHalf(inUse []server.Server) bool {
	if r.err != nil || !includes(r.Servers, inUse) {
		return true
	}
	return r.Open && (len(r.Servers) == 0 || !includes(inUse, r.Servers[len(r.Servers)-1:]))
}

// lessThan reports whether r is more likely to be a half than other.
func (r reading) lessThan(other reading) bool {
	switch {
	case (r.err == nil) != (other.err == nil):
		return r.err != nil
	case r.Open != other.Open:
		return r.Open
	}
	return len(r.Servers) < len(other.Servers)
}

// equal reports whether the file was the same when other was read.
func (r reading) equal(other reading) bool {
	if !r.Modified.Equal(other.Modified) {
		return false
	}
	if r.err != nil || other.err != nil {
		return r.err != nil && other.err != nil && r.err.Error() == other.err.Error()
	}
	return bytes.Equal(r.Text, other.Text)
}

// includes reports whether all of the servers are in list.
func includes(list, servers []server.Server) bool {
	return !slices.ContainsFunc(servers, func(s server.Server) bool { return !slices.ContainsFunc(list, s.Equal) })
}

package handler

import (
	"sync/atomic"
	"time"

	clog "github.com/coredns/coredns/plugin/pkg/log"
	"golang.org/x/time/rate"
)

// Name is the plugin's name.
const Name = "dnsmus"

var log = clog.NewWithPlugin(Name)

// What comes again and again must not fill the log: so many lines about one thing may follow
// at once, and then one each so long.
const (
	logBurst = 10
	logEvery = 30 * time.Second
)

// limitedLog writes the lines about one thing, such as an upstream, and drops what is too
// much.
type limitedLog struct {
	limit   *rate.Limiter
	dropped atomic.Int64 // lines since the last that was written
}

func (l *limitedLog) log(printf func(string, ...any), format string, args ...any) {
	if !l.limit.Allow() {
		l.dropped.Add(1)
		return
	}
	if n := l.dropped.Swap(0); n > 0 {
		format += " (lines dropped before: %d)"
		args = append(args, n)
	}
	printf(format, args...)
}

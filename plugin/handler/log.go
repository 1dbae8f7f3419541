package handler

import (
	"sync/atomic"
	"time"

	clog "github.com/coredns/coredns/plugin/pkg/log"
	"github.com/miekg/dns"
	"golang.org/x/time/rate"

	"github.com/dnsmus/dnsmus/plugin/pool"
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

func newLimitedLog() limitedLog {
	return limitedLog{limit: rate.NewLimiter(rate.Every(logEvery), logBurst)}
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

// failed tells who has the plugin debug in use why a query failed. Else it is not logged: there
// may be very many, and the names that are asked for are nobody's business.
func failed(r *dns.Msg, why string, outs ...*pool.Result) {
	if !clog.D.Value() {
		return
	}
	for _, out := range outs {
		why += ": " + out.Reasons()
	}
	q := r.Question[0]
	log.Debugf("%s %s: %s", q.Name, dns.Type(q.Qtype), why)
}

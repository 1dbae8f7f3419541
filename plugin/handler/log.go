package handler

import (
	"sync"
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

// limitedLog writes the lines about one thing, such as whether an upstream is down. Of those
// that are too many it holds back the newest until it may be written, so that the last line in
// the log tells how things are.
type limitedLog struct {
	mu      sync.Mutex    // not held while a line is written, which may take long
	limit   *rate.Limiter // made when needed
	held    func()        // writes the line that is held back; nil: none is
	due     *time.Timer   // writes it in its time
	dropped int           // lines in whose place that came
}

func (l *limitedLog) log(printf func(string, ...any), format string, args ...any) {
	if l.now(printf, format, args) {
		printf(format, args...)
	}
}

// now reports whether a line may be written now. Else it is held back.
func (l *limitedLog) now(printf func(string, ...any), format string, args []any) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held != nil {
		l.dropped++
	} else {
		if l.limit == nil {
			l.limit = rate.NewLimiter(rate.Every(logEvery), logBurst)
		}
		wait := l.limit.Reserve().Delay()
		if wait == 0 {
			return true
		}
		l.due, l.dropped = time.AfterFunc(wait, l.flush), 0
	}
	at, dropped := time.Now(), l.dropped
	l.held = func() {
		printf(format+" (%v ago; lines dropped before: %d)", append(args, time.Since(at).Round(time.Second), dropped)...)
	}
	return false
}

// flush writes the line that is held back.
func (l *limitedLog) flush() {
	if write := l.take(); write != nil {
		write()
	}
}

func (l *limitedLog) take() (write func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held != nil {
		l.due.Stop()
	}
	write, l.held = l.held, nil
	return write
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

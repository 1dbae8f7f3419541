package handler

import (
	"sync/atomic"
	"time"
)

// calm is how long no query was refused when an overload is over.
const calm = 15 * time.Minute

// overload refuses queries beyond a number under way. It is logged when that begins.
type overload struct {
	last atomic.Int64 // when a query was last refused, in nanoseconds since 1970
}

// one reports whether one more query, the n-th that is under way, is refused.
func (o *overload) one(n, limit int64) bool {
	if n <= limit {
		return false
	}
	maxConcurrentRejects.Inc()
	if now := time.Now().UnixNano(); time.Duration(now-o.last.Swap(now)) > calm {
		log.Warningf("More than %d queries are under way; what is more is refused (max_concurrent)", limit)
	}
	return true
}

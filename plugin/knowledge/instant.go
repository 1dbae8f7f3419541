package knowledge

import (
	"time"
)

// instant is a time on two clocks. The monotonic one cannot be set, and the wall clock goes on
// while the machine sleeps; what is over on either is over.
type instant struct {
	ran  time.Duration // since epoch
	wall int64         // in ns since 1970
}

var epoch = time.Now()

func instantOf(now time.Time) instant { return instant{now.Sub(epoch), now.UnixNano()} }

func (i instant) add(d time.Duration) instant { return instant{i.ran + d, i.wall + int64(d)} }

// before reports whether i is before end on both clocks.
func (i instant) before(end instant) bool { return i.ran < end.ran && i.wall < end.wall }

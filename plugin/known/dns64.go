package known

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

const (
	// dns64For is how long it is known whether an upstream makes addresses of its own.
	dns64For = time.Hour
	// dns64Again is how long a reply to the question for that is waited for before it is asked
	// again, and so often it is asked in vain.
	dns64Again = 5 * time.Second
	dns64Tries = 3
)

// DNS64 is whether an upstream makes IPv6 addresses for names that have none (RFC 6147). That
// shows in its reply to a question for those of ipv4only.arpa, which has none (RFC 7050). The
// zero value is for an upstream that was not asked yet.
type DNS64 struct {
	asked   instant.Time
	tries   uint8 // in vain so far
	replied bool
	makes   bool
}

// Ask reports whether the upstream is to be asked, and notes that it is.
func (d *DNS64) Ask(now instant.Time) bool {
	again := dns64Again
	if d.replied || d.tries >= dns64Tries {
		again = dns64For
	}
	if !d.asked.IsZero() && now.Sub(d.asked) < again {
		return false
	}
	d.asked = now
	if !d.replied {
		d.tries++
	}
	return true
}

// Replied notes whether its reply shows that it does.
func (d *DNS64) Replied(makes bool) { d.tries, d.replied, d.makes = 0, true, makes }

// Forget has the upstream asked anew. It reports whether it ever was asked.
func (d *DNS64) Forget() (was bool) {
	was = !d.asked.IsZero()
	*d = DNS64{}
	return was
}

// Makes reports whether the upstream makes addresses, as far as is known: it may while it has
// not replied, unless it never does.
func (d *DNS64) Makes(now instant.Time) bool {
	if d.replied {
		return d.makes
	}
	return d.tries < dns64Tries || now.Sub(d.asked) < dns64Again
}

package control

import (
	"github.com/dnsmus/dnsmus/plugin/history"
	"github.com/dnsmus/dnsmus/plugin/option"
)

// nearest is one of some names that a name was likely meant to be: one edit makes it that, or two
// if it is long; empty: there is none. Names are in wire format and lower case.
func nearest(name []byte, some func(func([]byte) bool)) (near string) {
	least := 2 // more than there may be
	if len(name) > 12 {
		least = 3
	}
	meant := history.Presentation(name)
	some(func(other []byte) bool {
		if d := len(other) - len(name); d >= least || -d >= least {
			return true
		}
		text := history.Presentation(other)
		if n := option.Edits(meant, text); 0 < n && n < least {
			near, least = text, n
		}
		return least > 1
	})
	return near
}

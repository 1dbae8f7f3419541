package link

import "net/netip"

// Way is how packets leave for an address. Another one may lead to another network, where
// another machine has that address. The zero Way leads nowhere.
type Way struct {
	Link            uint32 // the index of the interface; 0: the system does not tell
	Source, Gateway netip.Addr
}

// WayTo returns how packets leave for addr now: over the interface of that index, or if it is
// 0 as routes decide. It reports foundOut false if the system could not be asked, for lack of a
// file descriptor.
func WayTo(addr netip.Addr, over uint32) (w Way, foundOut bool) { return wayTo(addr, over) }

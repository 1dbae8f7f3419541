package udp

import (
	"runtime"
	"slices"
	"testing"
)

// An inbox is used again, also after garbage collections, and few are kept.
func TestInboxes(t *testing.T) {
	var all []*inbox
	for range 2 * maxInboxes {
		all = append(all, takeInbox())
	}
	for _, in := range all {
		in.release()
	}
	runtime.GC()
	runtime.GC()
	if in := takeInbox(); !slices.Contains(all, in) {
		t.Error("an inbox was made anew")
	} else {
		in.release()
	}
	inboxes.Lock()
	defer inboxes.Unlock()
	if n := len(inboxes.free); n > maxInboxes {
		t.Errorf("%d are kept", n)
	}
}

package ports

import (
	"os"
	"testing"

	"golang.org/x/sys/windows"
)

// R10: errors have numbers of their own on Windows. Of a closed port the sockets here are
// told nothing there: package net turns that off for sockets that are not connected.
func TestR10Windows(t *testing.T) {
	if closed := os.NewSyscallError("wsasend", windows.WSAECONNRESET); BreaksSocket(closed) || IsTransient(closed) {
		t.Errorf("%v: breaks the socket %v, transient %v", closed, BreaksSocket(closed), IsTransient(closed))
	}
	if lost := os.NewSyscallError("wsasend", windows.WSAEHOSTUNREACH); !BreaksSocket(lost) || IsTransient(lost) {
		t.Errorf("%v: breaks the socket %v, transient %v", lost, BreaksSocket(lost), IsTransient(lost))
	}
}

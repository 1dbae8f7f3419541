package server

import "testing"

// Each transport has a whole row, and is read as it is written.
func TestTransports(t *testing.T) {
	all := Transports()
	if len(all) != len(transports)-1 {
		t.Errorf("there are %v, and %d rows", all, len(transports))
	}
	for _, tr := range all {
		if got, ok := ParseTransport(tr.String()); !ok || got != tr || transports[tr].port == 0 {
			t.Errorf("%s is read as %v, %v; its port is %d", tr, got, ok, transports[tr].port)
		}
		if tr.Encrypted() == (tr == DNS) {
			t.Errorf("%s is encrypted: %v", tr, tr.Encrypted())
		}
	}
	for name, want := range map[string]bool{"": false, "unknown": false, "DNS": false, "grpc": false, "dns": true} {
		if got, ok := ParseTransport(name); ok != want {
			t.Errorf("%q is %v, %v", name, got, ok)
		}
	}
	if got := transportNames(); got != "dns, tls, https or quic" {
		t.Error(got)
	}
}

// What is no transport is not one of plain text.
func TestNoTransport(t *testing.T) {
	for _, tr := range []Transport{0, Transport(len(transports)), 255} {
		if !tr.Encrypted() || tr.Datagram() || tr.String() != "unknown" {
			t.Errorf("%d is %s, encrypted: %v, over UDP: %v", tr, tr, tr.Encrypted(), tr.Datagram())
		}
	}
}

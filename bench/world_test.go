//go:build linux

package main

import "testing"

// The world's resolvers and clients agree on what is right.
func TestWorld(t *testing.T) {
	steady, wrong, lost, denials, err := newBench(t).worldOf("tells", 320)
	if err != nil {
		t.Fatal(err)
	}
	if wrong+lost > 0 || denials != "0" {
		t.Errorf("%d wrong, %d lost, %s wrong denials", wrong, lost, denials)
	}
	asked := 0
	for kind, n := range steady.asked {
		asked += n
		if n == 0 {
			t.Errorf("nothing of kind %d was asked", kind)
		}
	}
	// A resolver that gets no processor time is sent three packets a question.
	if asked != 320 || steady.positive() < 1 || steady.positive() > 3*resolvers || steady.foreign(ownName) > 3 || len(steady.waits) == 0 {
		t.Errorf("%+v", steady)
	}
}

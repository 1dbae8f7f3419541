package upstream

import (
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/udp"
)

// R9: where two upstreams have one address on one set of ports, as two server blocks that
// share ports for want of descriptors, and one address over two interfaces to which sockets
// cannot be bound, each gets its replies: also those with an id that the other has used, or
// waits for at that moment with another question.
func TestR9SharedPeer(t *testing.T) {
	for _, names := range [][2]string{{"host%d-%d.example.", "host%d-%d.example."}, {"host%d-%d.example.", "other%d-%d.example."}} {
		t.Run(names[1], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { sharedPeer(t, names) })
		})
	}
}

func sharedPeer(t *testing.T, names [2]string) {
	f := newFake(answerAfter(ms, nil))
	f.dial = func(network string, _ int) error {
		if network == "tcp" {
			return syscall.ECONNREFUSED
		}
		return nil
	}
	shared := tappedPorts(f, ignored, func(p *udp.Packet) {})
	obs := &upObserver{}
	watched := func(c *Config) { c.Observer = obs }
	a := f.upstream(t, at("192.0.2.53:53", shared), watched)
	b := f.upstream(t, at("192.0.2.53:53", shared), watched)
	var all []*outcome
	for i := range 1200 {
		for j := range 20 {
			all = append(all, pendingAsk(a, query(fmt.Sprintf(names[0], i, j))), pendingAsk(b, query(fmt.Sprintf(names[1], i, j))))
		}
		time.Sleep(4 * ms)
	}
	time.Sleep(testTimeout + time.Second)
	synctest.Wait()
	none, slow := 0, 0
	for _, o := range all {
		switch {
		case !o.good():
			none++
		case o.after > 2*ms:
			slow++
		}
	}
	if none+slow > 0 || obs.near.Load() > 0 {
		t.Errorf("of %d queries %d had no answer at all, %d a late one; %d near misses", len(all), none, slow, obs.near.Load())
	}
}

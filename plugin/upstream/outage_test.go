package upstream

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/udp"
)

// outages is a network that loses everything for a while now and then, with TCP as Linux
// has it: what is lost is sent again after a time that doubles, SYN after a second.
type outages struct {
	*fake
	every, length time.Duration
}

// over is when a moment in an outage is past it.
func (n *outages) over(at time.Time) time.Time {
	if into := at.Sub(n.start) % n.every; at.Sub(n.start) >= n.every && into < n.length {
		return at.Add(n.length - into)
	}
	return at
}

// delivered is when what is sent at a moment comes, if it is sent again after first, then
// twice that and so on.
func (n *outages) delivered(at time.Time, first time.Duration) time.Time {
	for wait := first; n.over(at) != at; wait *= 2 {
		at = at.Add(wait)
	}
	return at
}

func (n *outages) Dial(ctx context.Context, to udp.Peer) (net.Conn, error) {
	select {
	case <-time.After(time.Until(n.delivered(time.Now(), time.Second))):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	conn, err := n.fake.Dial(ctx, to)
	if err != nil {
		return nil, err
	}
	c := &outageConn{Conn: conn, network: n}
	return c, nil
}

// outageConn delivers what is written in order, and late if it is lost.
type outageConn struct {
	net.Conn
	network *outages
	mu      sync.Mutex
	last    chan struct{} // closed when what was written before is delivered
	due     time.Time     // of that
}

func (c *outageConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, done := c.last, make(chan struct{})
	due := c.network.delivered(time.Now(), 200*ms)
	if due.Before(c.due) {
		due = c.due
	}
	c.last, c.due = done, due
	msg := append([]byte(nil), b...)
	go func() {
		defer close(done)
		time.Sleep(time.Until(due))
		if before != nil {
			<-before
		}
		c.Conn.Write(msg)
	}()
	return len(b), nil
}

// R6: an outage of the network before an upstream that is asked over streams alone is no
// silence of it: who asks while it lasts is answered when it is over.
func TestR6OutageBeforeStreams(t *testing.T) {
	for _, length := range []time.Duration{500 * ms, 1000 * ms, 1500 * ms, 1900 * ms} {
		for _, tripper := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, round trips %v", length, tripper), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := &outages{fake: newFake(answerAfter(10*ms, nil)), every: 7 * time.Second, length: length}
					u := n.upstream(t, forceTCP, func(c *Config) {
						c.Dial = n.Dial
						if tripper {
							c.DialRoundTripper = func(ctx context.Context, to udp.Peer) (RoundTripper, error) { return n.dialRoundTripper(ctx, to) }
						}
					})
					var all []*outcome
					for range 2800 {
						all = append(all, pendingAsk(u, query("host.example.")))
						time.Sleep(10 * ms)
					}
					time.Sleep(testTimeout)
					synctest.Wait()
					lost, down, late := 0, 0, 0
					for _, o := range all {
						switch {
						case !o.good():
							lost++
						case o.toldDown:
							down++
						case o.after > length+time.Second:
							late++
						}
					}
					if lost+down+late > 0 {
						t.Errorf("of %d: %d lost, %d not waited for, %d late", len(all), lost, down, late)
					}
				})
			})
		}
	}
}

// outageTripper makes a round trip when the network lets it.
type outageTripper struct {
	network *outages
	done    chan struct{}
	once    sync.Once
}

func (n *outages) dialRoundTripper(ctx context.Context, _ udp.Peer) (RoundTripper, error) {
	select {
	case <-time.After(time.Until(n.delivered(time.Now(), time.Second))):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return &outageTripper{network: n, done: make(chan struct{})}, nil
}

func (t *outageTripper) RoundTrip(ctx context.Context, msg []byte) ([]byte, error) {
	select {
	case <-time.After(time.Until(t.network.delivered(time.Now(), 200*ms)) + 10*ms):
		return replyTo(msg, good), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.done:
		return nil, net.ErrClosed
	}
}

func (t *outageTripper) Done() <-chan struct{} { return t.done }
func (t *outageTripper) Close() error          { t.once.Do(func() { close(t.done) }); return nil }

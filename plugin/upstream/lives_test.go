package upstream

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// R5: a resolver whose own way to the Internet is cut is silent to all names but its own, also to
// probes. As it takes connections, denials of its own names wait for it: also those that were asked
// just before it is found to be down, the first ones of their kind, and those of clients on TCP.
func TestR5Lives(t *testing.T) {
	overUDP := linkTransports["over UDP"]
	for name, c := range map[string]struct {
		rtt    time.Duration
		dial   time.Duration // how long a connection takes to be opened
		timed  int           // queries before
		stream bool
		change func(*Config)
	}{
		"known":                        {rtt: 20 * ms, timed: 5, change: overUDP},
		"never heard":                  {rtt: 60 * ms, change: overUDP},
		"far away":                     {rtt: 600 * ms, timed: 5, change: overUDP},
		"over TCP":                     {rtt: 60 * ms, timed: 5, stream: true, change: overUDP},
		"over TCP, never heard":        {rtt: 60 * ms, stream: true, change: overUDP},
		"force_tcp":                    {rtt: 60 * ms, timed: 5, change: forceTCP},
		"force_tcp, never heard":       {rtt: 60 * ms, change: forceTCP},
		"force_tcp, slow to connect":   {rtt: 60 * ms, dial: 400 * ms, timed: 5, change: forceTCP},
		"force_tcp, slow, never heard": {rtt: 60 * ms, dial: 400 * ms, change: forceTCP},
		"force_tcp, a client's TCP":    {rtt: 60 * ms, stream: true, change: forceTCP},
	} {
		for _, early := range []time.Duration{-c.rtt / 2, 5 * ms, time.Second, 4 * time.Second} { // before and after it is found to be down
			t.Run(fmt.Sprint(name, ", ", early), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFake(answerAfter(c.rtt, func(p packet) bool { return asks(p.msg, "host.example.") }))
					f.dial = func(network string, _ int) error {
						if network == "tcp" {
							time.Sleep(c.dial)
						}
						return nil
					}
					u := f.upstream(t, c.change)
					for range c.timed {
						ask(u, query("host.example."))
					}
					time.Sleep(ms)
					other := pendingAsk(u, query("other.example."))
					time.Sleep(testPatience + early)
					q := query("host.example.")
					q.Stream = c.stream
					host := ask(u, q)
					if !host.good() || host.toldDown || host.after < c.rtt || host.after > c.dial+c.rtt {
						t.Errorf("good %v after %v, told down %v after %v", host.good(), host.after, host.toldDown, host.down)
					}
					other.mu.Lock()
					defer other.mu.Unlock()
					if early > c.dial && (other.down < testPatience || other.down > testPatience+c.dial) {
						t.Errorf("it was found to be down after %v", other.down)
					}
				})
			})
		}
	}
}

// R5: one that is silent to all is waited for no longer than it usually takes, and not at all if it
// takes no connections, or none any longer.
func TestR5LivesInVain(t *testing.T) {
	for name, c := range map[string]struct {
		timed int
		dies  time.Duration // after that no connection is taken; 0: from the start
		want  []time.Duration
	}{
		"takes connections":              {timed: 5, dies: time.Hour, want: []time.Duration{leastUsual, leastUsual, leastUsual}},
		"takes connections, never heard": {dies: time.Hour, want: []time.Duration{maxWelcome, maxWelcome, maxWelcome}},
		"takes none":                     {timed: 5, want: []time.Duration{0, 0, 0}},
		"takes none, never heard":        {want: []time.Duration{0, 0, 0}},
		"takes none any longer":          {timed: 5, dies: 2500 * ms, want: []time.Duration{leastUsual, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				f := newFake(answerAfter(20*ms, nil))
				f.dial = func(network string, _ int) error {
					if network == "tcp" && time.Since(start) >= c.dies {
						return errors.New("refused")
					}
					return nil
				}
				u := f.upstream(t)
				for range c.timed {
					ask(u, query("host.example."))
				}
				f.script(func(packet) {})
				time.Sleep(ms)
				pendingAsk(u, query("host.example."))
				time.Sleep(testPatience + ms)
				for i, want := range c.want {
					o := pendingAsk(u, query("host.example."))
					time.Sleep(1500 * ms)
					synctest.Wait()
					o.mu.Lock()
					if !o.toldDown || o.down != want || o.doubtful != (want > 0) {
						t.Errorf("%d: told down %v after %v, doubtful %v, want after %v", i, o.toldDown, o.down, o.doubtful, want)
					}
					o.mu.Unlock()
				}
			})
		})
	}
}

// R5: what takes no connections is waited for as well, once it has shown that it answers its own
// names and no probes. What had answered them when it was back is not.
func TestR5Chooses(t *testing.T) {
	host := answerAfter(20*ms, func(p packet) bool { return asks(p.msg, "host.example.") })
	for name, c := range map[string]struct {
		back, then func(packet)
		after      time.Duration
		down       bool          // it is told so
		want       time.Duration // when that is told, or the reply comes
	}{
		"its own names only":          {back: host, then: host, after: time.Second, want: 20 * ms},
		"long after":                  {back: host, then: host, after: 50 * time.Minute, want: 20 * ms},
		"its own, and then nothing":   {back: host, then: func(packet) {}, after: time.Second, down: true, want: leastUsual},
		"not for long":                {back: host, then: func(packet) {}, after: 61 * time.Minute, down: true},
		"all names, and then nothing": {back: answerAfter(20*ms, nil), then: func(packet) {}, after: time.Second, down: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(func(packet) {})
				f.dial = noTCP
				u := f.upstream(t)
				ask(u, query("other.example."))
				f.script(c.back)
				ask(u, query("host.example."))
				time.Sleep(time.Second)
				f.script(c.then)
				ask(u, query("other.example."))
				for range c.after / time.Second { // without a pause
					pendingAsk(u, query("other.example."))
					time.Sleep(time.Second)
				}
				o := ask(u, query("host.example."))
				after := o.after
				if c.down {
					after = o.down
				}
				if o.good() == c.down || o.toldDown != c.down || after != c.want {
					t.Errorf("good %v after %v, told down %v after %v", o.good(), o.after, o.toldDown, o.down)
				}
			})
		})
	}
}

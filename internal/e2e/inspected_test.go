//go:build linux

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// control makes room for the lab's control socket, and returns its path.
func (l *lab) control() string {
	l.Helper()
	dir := filepath.Dir(l.socket())
	if err := os.Mkdir(dir, 0o755); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { os.RemoveAll(dir) })
	return l.socket()
}

// inspection has the races of a dnsmus that no client's reply was held against yet.
type inspection struct {
	mu    sync.Mutex
	races []api.RaceEvent
}

// inspect reads events from the lab's control socket. From now on each reply to [lab.ask] is held
// against what is told of its race.
func (l *lab) inspect() {
	l.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", l.socket())
	}}}
	resp, err := client.Get("http://" + api.Host + api.Events)
	if err != nil {
		l.Fatal(err)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	lines.Scan() // it has begun
	in := new(inspection)
	l.inspected = in
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines.Scan() {
			var e api.RaceEvent
			if json.Unmarshal(lines.Bytes(), &e) == nil && e.Event == api.EventRace {
				in.mu.Lock()
				in.races = append(in.races, e)
				in.mu.Unlock()
			}
		}
	})
	l.Cleanup(func() {
		resp.Body.Close()
		reading.Wait()
	})
}

// take takes a race that a reply may be of. What else there was for its question is returned if there
// is none.
func (in *inspection) take(q question, m *dns.Msg) (others []string, found bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for i := range in.races {
		e := &in.races[i]
		if e.Server != net.JoinHostPort(q.server, q.port) || e.Name != strings.ToLower(q.msg.Question[0].Name) || e.Type != dns.Type(q.msg.Question[0].Qtype).String() {
			continue
		}
		if why := holds(e, m); why != "" {
			others = append(others, fmt.Sprintf("%s: %+v", why, *e))
			continue
		}
		in.races = slices.Delete(in.races, i, i+1)
		return nil, true
	}
	return others, false
}

// holds says what of a race does not go with a reply; empty: all does.
func holds(e *api.RaceEvent, m *dns.Msg) string {
	cutOff := e.Verdict == "truncated" && m.Rcode == dns.RcodeServerFailure
	if !cutOff && e.Rcode != dns.RcodeToString[m.Rcode] {
		return "another code"
	}
	if len(m.Answer) > 0 && !m.Truncated && (len(e.Answer) != len(m.Answer) || e.Verdict != "good") {
		return "another answer"
	}
	winners := 0
	for i := range e.Upstreams {
		leg := &e.Upstreams[i]
		if !leg.Winner {
			continue
		}
		winners++
		if e.Upstream == nil || leg.Upstream != *e.Upstream || leg.Verdict != e.Verdict || leg.Rcode == nil {
			return "another winner"
		}
	}
	if e.Upstream != nil && winners != 1 {
		return "no winner"
	}
	return ""
}

// inspectReply holds a reply against what is told.
func (l *lab) inspectReply(q question, m *dns.Msg) {
	l.Helper()
	if l.inspected == nil || q.server != "127.0.0.1" || m == nil {
		return
	}
	l.eventually(func() error {
		if others, found := l.inspected.take(q, m); !found {
			return fmt.Errorf("the client got\n%v\nand nothing like it is told, but %d others\n%s", m, len(others), strings.Join(others, "\n"))
		}
		return nil
	})
}

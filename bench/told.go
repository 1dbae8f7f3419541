//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
)

// told is what a control socket costs: where nobody reads events from it, and where somebody does.
// The packages' server is measured with it and without, with answers and with denials.
func (b *bench) told() error {
	t := table{
		title: "Instructions and bytes a query with a control socket",
		note:  "The packages' stanza (*cache*, *learn*) without and with `control`; watched: one reader of all events. Ratios are those to the same without.",
		head:  []string{"upstreams", "instructions", "bytes", "asleep: instructions", "ratio", "bytes", "ratio", "watched: instructions", "ratio", "bytes", "ratio"},
	}
	for _, kind := range []string{"good", "nxdomain"} {
		fakes, err := startFakes(b.ctx, repeat(kind, 3)...)
		if err != nil {
			return err
		}
		b.fakes = fakes
		row := []any{"3 " + kind}
		var base counted
		for i, e := range []entry{{engine: "packaged", n: 3}, {engine: "told", n: 3}, {engine: "watched", n: 3}} {
			c, err := b.countQuery(e, 0)
			if err != nil {
				fakes.stop()
				return err
			}
			row = append(row, fmt.Sprintf("%.0f", c.instructions))
			if i == 0 {
				base = c
				row = append(row, fmt.Sprintf("%.0f", c.bytes))
				continue
			}
			more, bytes := c.instructions/base.instructions, c.bytes/base.bytes
			row = append(row, fmt.Sprintf("%.3f", more), fmt.Sprintf("%.0f", c.bytes), fmt.Sprintf("%.3f", bytes))
			if goal := toldGoals[kind]; e.engine == "told" {
				b.report.goal("instructions a query with a control socket, "+kind, fmt.Sprintf("<= %.2f", goal), fmt.Sprintf("%.3f", more), more <= goal)
			}
		}
		fakes.stop()
		t.add(row...)
	}
	b.report.table(t)
	return nil
}

// toldGoals are ratios of instructions with a control socket that nobody reads to those without.
var toldGoals = map[string]float64{"good": 1.01, "nxdomain": 1.02}

// over is a client of a control socket.
func over(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
}

// wrongDenials is how many denials a server has found to be wrong.
func (s *server) wrongDenials(socket string) (string, error) {
	resp, err := over(socket).Get("http://dnsmus/v1/status")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var state struct {
		Servers []struct {
			Hour struct {
				Wrong int `json:"wrong_denials"`
			} `json:"hour"`
		} `json:"servers"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&state); err != nil || len(state.Servers) != 1 {
		return "", fmt.Errorf("%d servers are told: %w", len(state.Servers), err)
	}
	return fmt.Sprint(state.Servers[0].Hour.Wrong), nil
}

// readEvents reads all events from a server's control socket until the server ends.
func (s *server) readEvents(socket string) error {
	resp, err := over(socket).Get("http://dnsmus/v1/events")
	if err != nil {
		return err
	}
	go func() {
		defer resp.Body.Close()
		for in := bufio.NewReader(resp.Body); ; {
			line, err := in.ReadSlice('\n')
			switch {
			case err == bufio.ErrBufferFull:
			case err != nil:
				return
			case bytes.HasPrefix(line, []byte(`{"event":"lost"`)):
				s.eventsLost.Add(1)
			case bytes.HasPrefix(line, []byte(`{"event":"race"`)):
				s.eventsRead.Add(1)
			}
		}
	}()
	return nil
}

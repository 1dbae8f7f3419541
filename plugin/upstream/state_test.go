package upstream

import "testing"

// TestPhases lists what every event does in every phase; what is not listed changes
// nothing.
func TestPhases(t *testing.T) {
	type move struct {
		phase
		step
	}
	want := map[phase]map[event]move{
		overUDP: {
			answered:   {ended, rest},
			useless:    {overStream, askStream},
			forged:     {overStreamFirst, askStream},
			unanswered: {overBoth, askStream},
			udpFailed:  {overStream, askStream},
		},
		overStreamFirst: {
			answered:     {ended, rest},
			streamFailed: {overUDPLast, sendPacket},
			streamSlow:   {overBoth, sendPacket},
		},
		overBoth: {
			answered:     {ended, rest},
			useless:      {overStream, rest},
			udpFailed:    {overStream, rest},
			forged:       {overStreamFirst, rest},
			streamFailed: {overUDPLast, rest},
			streamSlow:   {overBoth, sendPacket},
		},
		overStream: {
			answered:     {ended, rest},
			streamFailed: {ended, fail},
			udpTalks:     {overBoth, sendPacket},
		},
		overUDPLast: {
			answered:    {ended, rest},
			useless:     {ended, fail},
			udpFailed:   {ended, fail},
			forged:      {overUDPLast, sendPacket},
			streamTalks: {overBoth, askStream},
		},
	}
	for p := range phases {
		for e := range events {
			expected, listed := want[p][e]
			if !listed {
				expected = move{p, rest}
			}
			if got, step := p.next(e); got != expected.phase || step != expected.step {
				t.Errorf("%v, then %v: %v, step %d; want %v, step %d", p, e, got, step, expected.phase, expected.step)
			}
		}
	}
}

// There is always a way on, or an end: from each phase a failure of both ways ends
// the exchange, whichever is first.
func TestPhasesEnd(t *testing.T) {
	for p := range phases {
		for _, order := range [][]event{{udpFailed, streamFailed, udpFailed}, {streamFailed, udpFailed, streamFailed}} {
			now := p
			for _, e := range order {
				now, _ = now.next(e)
			}
			if now != ended {
				t.Errorf("%v, then %v: %v", p, order, now)
			}
		}
	}
}

func TestMore(t *testing.T) {
	for _, tc := range []struct {
		phase
		packets, dials uint8
		want           bool
	}{
		{overUDP, 0, 0, true},
		{overUDP, maxPackets, 0, true}, // a stream
		{overStreamFirst, 0, maxDials - 1, true},
		{overStreamFirst, 0, maxDials, false},
		{overBoth, maxPackets, 1, true},
		{overBoth, 1, maxDials, false},
		{overStream, 0, 1, true},
		{overStream, 0, maxDials, false},
		{overUDPLast, 1, maxDials, true},
		{overUDPLast, maxPackets, 0, false},
		{ended, 0, 0, false},
	} {
		if got := tc.phase.more(tc.packets, tc.dials); got != tc.want {
			t.Errorf("%v after %d packets and %d dials: %v, want %v", tc.phase, tc.packets, tc.dials, got, tc.want)
		}
	}
}

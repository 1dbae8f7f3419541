package upstream

import "testing"

// TestPhases lists what every event does in every phase; what is not listed changes
// nothing.
func TestPhases(t *testing.T) {
	type move struct {
		phase
		action
	}
	anywhere := func(p phase) map[event]move { // but at the end
		return map[event]move{
			answered:       {ended, none},
			waitedEnough:   {p, giveUp},
			gaveUp:         {ended, none},
			enlarged:       {overUDPLast, sendPacket},
			enlargedBeside: {overBoth, sendPacket},
			restartUDP:     {overUDP, none},
			restartStream:  {overStream, none},
		}
	}
	want := map[phase]map[event]move{
		notAsked: {
			startUDP:        {overUDP, sendPacket},
			startStream:     {overStreamFirst, askStream},
			startBoth:       {overBoth, askBoth},
			startStreamOnly: {overStream, askStream},
		},
		overUDP: {
			useless:        {overStream, askStream},
			forged:         {overStreamFirst, askStream},
			unanswered:     {overBoth, askStream},
			hinted:         {overBoth, askStream},
			sendAgain:      {overUDP, sendPacket},
			udpFailed:      {overStream, askStream},
			streamHopeless: {overUDP, giveUp},
		},
		overStreamFirst: {
			streamFailed: {overUDPLast, sendPacket},
			streamSlow:   {overBoth, sendPacket},
		},
		overBoth: {
			useless:      {overStream, none},
			udpFailed:    {overStream, none},
			forged:       {overStreamFirst, none},
			sendAgain:    {overBoth, sendPacket},
			streamFailed: {overUDPLast, none},
			streamSlow:   {overBoth, sendPacket},
		},
		overStream: {
			streamFailed:   {overStream, giveUp},
			streamHopeless: {overStream, giveUp},
			udpReplies:     {overBoth, sendPacket},
		},
		overUDPLast: {
			useless:       {overUDPLast, giveUp},
			udpFailed:     {overUDPLast, giveUp},
			forged:        {overUDPLast, sendPacket},
			sendAgain:     {overUDPLast, sendPacket},
			streamReplies: {overBoth, askStream},
		},
	}
	for p := range phases {
		for e := range events {
			expected, listed := want[p][e]
			if !listed && p != ended {
				expected, listed = anywhere(p)[e]
			}
			if !listed {
				expected = move{p, none}
			}
			if got, a := p.next(e); got != expected.phase || a != expected.action {
				t.Errorf("%v, then %v: %v, %v; want %v, %v", p, e, got, a, expected.phase, expected.action)
			}
		}
	}
}

// There is always a way on, or an end: from each phase in which it was asked, a failure of
// both paths ends the exchange, whichever is first.
func TestPhasesEnd(t *testing.T) {
	for p := notAsked + 1; p < phases; p++ {
		for _, order := range [][]event{{udpFailed, streamFailed, udpFailed}, {streamFailed, udpFailed, streamFailed}} {
			now := p
			for _, e := range order {
				next, a := now.next(e)
				if now = next; a == giveUp {
					now, _ = now.next(gaveUp)
				}
			}
			if now != ended {
				t.Errorf("%v, then %v: %v", p, order, now)
			}
		}
	}
}

// Every phase, event and action has a name for messages.
func TestPhaseNames(t *testing.T) {
	for p := range phases {
		if p.String() == "" {
			t.Errorf("phase %d has no name", p)
		}
	}
	for e := range events {
		if e.String() == "" {
			t.Errorf("event %d has no name", e)
		}
	}
	for a := range actions {
		if a.String() == "" {
			t.Errorf("action %d has no name", a)
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

// TestStreamStates lists what every event does in every state of a stream; what is not
// listed changes nothing.
func TestStreamStates(t *testing.T) {
	want := map[streamState]map[streamEvent]streamState{
		dialling: {connected: open, connectedAlone: draining, end: closed},
		open:     {retire: draining, end: closed},
		draining: {end: closed},
	}
	for s := range streamStates {
		for e := range streamEvents {
			expected, listed := want[s][e]
			if !listed {
				expected = s
			}
			if got := s.next(e); got != expected {
				t.Errorf("%v, then %v: %v, want %v", s, e, got, expected)
			}
		}
	}
}

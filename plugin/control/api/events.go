package api

import "time"

// Kinds of events. Each line of [Events] has one as its event, and is then a [RaceEvent], a
// [LateEvent], an [UpstreamEvent], a [ListEvent], a [ZoneEvent], a [LostEvent], a [SampledEvent]
// or, at the end, an [Event] alone.
const (
	EventBegin    = "begin"    // the first line: the stream has begun
	EventRace     = "race"     // a race is over
	EventLate     = "late"     // a reply to a race that was shown came later, or one that shows a denial to be wrong
	EventUpstream = "upstream" // an upstream went down or came up
	EventList     = "list"     // there are other upstreams
	EventZone     = "zone"     // something was learned of a zone
	EventLost     = "lost"     // this reader was too slow
	EventSampled  = "sampled"  // there are so many races that only some are shown, or no longer
	EventEnd      = "end"      // the server stops
)

// Event is what all events have.
type Event struct {
	Event  string    `json:"event"`
	At     time.Time `json:"at"`
	Server string    `json:"server,omitempty"`
}

// RaceEvent is a race that is over. The addresses of clients are nowhere told.
type RaceEvent struct {
	Event   string `json:"event"`
	Clients int    `json:"clients"` // that waited for it
	Cached  bool   `json:"cached"`  // no race: dnsmus's own cache replied
	Race
}

// LateEvent is a reply that came when its race was over.
type LateEvent struct {
	Event
	ID           string  `json:"id"` // of the race
	Upstream     string  `json:"upstream"`
	Seconds      float64 `json:"seconds"` // since the race began
	Verdict      string  `json:"verdict"`
	WouldHaveWon bool    `json:"would_have_won"` // it is a good answer, and the client got a denial
}

// UpstreamEvent is a change of an upstream's state.
type UpstreamEvent struct {
	Event
	Upstream string `json:"upstream"`
	State    string `json:"state"` // as in [Upstream]
	Why      string `json:"why"`
	Waiting  int    `json:"waiting"` // queries
}

// ListEvent is a change of the list of upstreams.
type ListEvent struct {
	Event
	Upstreams []string `json:"upstreams"` // all of them now
	Added     []string `json:"added"`
	Removed   []string `json:"removed"`
}

// ZoneEvent is something that was learned of a zone.
type ZoneEvent struct {
	Event
	Zone      string   `json:"zone"`
	Change    string   `json:"change"` // "differ": these give different answers
	Upstreams []string `json:"upstreams"`
}

// LostEvent says how many events this reader has missed.
type LostEvent struct {
	Event
	Events int `json:"events"`
}

// SampledEvent says of how many races one is shown from now on; 1: all.
type SampledEvent struct {
	Event
	OneOf int `json:"one_of"`
}

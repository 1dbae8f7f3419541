package api_test

import (
	"encoding/json"
	"testing"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// Embedded structs must not hide each other's fields: what is written is read again.
func TestFieldsSurvive(t *testing.T) {
	by := "192.0.2.1"
	race := api.Race{ID: "1f", Server: "127.0.0.1:53", Outcome: api.Outcome{
		Name: "www.example.", Type: "A", Verdict: "nxdomain", Rcode: "NXDOMAIN", Upstream: &by, Asked: "all",
		Upstreams: []api.Leg{{Upstream: by, Verdict: "nxdomain", Winner: true}},
	}}
	want := api.RaceEvent{Event: api.EventRace, Clients: 2, Race: race}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got api.RaceEvent
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != "1f" || got.Name != "www.example." || got.Server != "127.0.0.1:53" || len(got.Upstreams) != 1 || *got.Upstream != by || got.Event != api.EventRace {
		t.Errorf("%s is read as %+v", b, got)
	}

	late := api.LateEvent{Event: api.Event{Event: api.EventLate, Server: "127.0.0.1:53"}, ID: "1f", Upstream: by, WouldHaveWon: true}
	if b, err = json.Marshal(late); err != nil {
		t.Fatal(err)
	}
	var gotLate api.LateEvent
	if err := json.Unmarshal(b, &gotLate); err != nil {
		t.Fatal(err)
	}
	if gotLate != late {
		t.Errorf("%s is read as %+v", b, gotLate)
	}
}

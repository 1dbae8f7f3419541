package control

import (
	"testing"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// What is told of a race is enough to choose it by any word.
func TestWanted(t *testing.T) {
	by := "[10.1.0.53%tun0]:53"
	race := func(verdict string) *api.Race {
		return &api.Race{Outcome: api.Outcome{
			Name: "wiki.corp.example.", Type: "A", Verdict: verdict, Upstream: &by, Seconds: 0.7, Differ: []string{by, "10.1.0.54:53"}, Asked: api.AskedSurvey,
			Upstreams: []api.Leg{{Upstream: by, Verdict: "good"}, {Upstream: "10.1.0.54:53", Verdict: "good", Late: true}},
		}}
	}
	for text, want := range map[string]bool{
		"": true, "corp.example": true, "other.example": false, "A": true, "AAAA": false, "@10.1.0.53": true, "@10.1.0.54": false,
		"only:10.1.0.53": true, "only:10.1.0.54": false, "slow": true, ">700ms": true, ">1s": false, "differ": true, "asked:survey": true, "asked:all": false,
		"!A": false, "corp.example A slow": true, "corp.example AAAA slow": false,
	} {
		wanted, err := Wanted(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := wanted(race("good")); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	denied, _ := Wanted("denied")
	failed, _ := Wanted("failed")
	for verdict, want := range map[string][2]bool{
		"good": {false, false}, "cname": {false, false}, "nodata": {true, false}, "nxdomain": {true, false}, "servfail": {false, true},
		"refused": {false, true}, "bogus": {false, true}, "none": {false, true}, "error": {false, true}, "unheard of": {false, false},
	} {
		if r := race(verdict); denied(r) != want[0] || failed(r) != want[1] {
			t.Errorf("%s: denied %v, failed %v", verdict, denied(r), failed(r))
		}
	}
	if wanted, _ := Wanted("."); !wanted(&api.Race{}) {
		t.Error("a race without a name is in no zone")
	}
	if _, err := Wanted("asked:nobody"); err == nil {
		t.Error("a word that there is not is taken")
	}
}

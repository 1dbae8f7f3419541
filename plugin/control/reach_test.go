package control

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

func reachQuery(name string, qtype uint16) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(name, qtype)
	return m
}

// A name is answered, with all below it, for a while and by nobody's choice; no other is.
func TestReaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(Socket)
		if s.Reached(reachQuery("a."+api.ReachZone, dns.TypeA)) != nil {
			t.Error("a name is answered before there is one")
		}
		first, ok := s.reaches.add(reachTime)
		if !ok {
			t.Fatal("there is no name")
		}
		time.Sleep(reachTime / 2)
		second, _ := s.reaches.add(reachTime)
		if first.name == second.name || len(first.name) != 33+len(api.ReachZone) {
			t.Errorf("%q and %q", first.name, second.name)
		}
		for name, want := range map[string]string{
			first.name: first.a.String(), "libc." + first.name: first.a.String(), strings.ToUpper(second.name): second.a.String(),
			"x" + first.name: "", api.ReachZone: "", "other." + api.ReachZone: "", "corp.example.": "",
		} {
			got := ""
			m := s.Reached(reachQuery(name, dns.TypeA))
			if m != nil {
				got = m.Answer[0].(*dns.A).A.String()
				if h := m.Answer[0].Header(); h.Ttl != 0 || h.Name != name {
					t.Errorf("%s: %v", name, m)
				}
			}
			if got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if m := s.Reached(reachQuery(first.name, dns.TypeAAAA)); m.Answer[0].(*dns.AAAA).AAAA.String() != first.aaaa.String() {
			t.Error(m)
		}
		if m := s.Reached(reachQuery(first.name, dns.TypeMX)); m.Rcode != dns.RcodeSuccess || len(m.Answer) > 0 {
			t.Error(m)
		}
		time.Sleep(reachTime/2 + time.Millisecond)
		if s.Reached(reachQuery(first.name, dns.TypeA)) != nil || s.Reached(reachQuery(second.name, dns.TypeA)) == nil {
			t.Error("each name has its own time")
		}
		for range maxReach - 1 {
			if _, ok := s.reaches.add(reachTime); !ok {
				t.Error("there is no room")
			}
		}
		if _, ok := s.reaches.add(reachTime); ok {
			t.Error("there are more than there may be")
		}
		time.Sleep(2 * reachTime)
		if s.reaches.now.Load() != nil {
			t.Error("there are names when their time is over")
		}
	})
}

// What cannot be answered is refused, and says why.
func TestReachRefused(t *testing.T) {
	s, b := opened(t)
	post := func(body string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://dnsmus"+api.Reach, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		return ask(t, s.Path, r)
	}
	if status, text := post(`{"name":"corp.example."}`); status != 400 || !strings.Contains(text, "write {}") {
		t.Errorf("a name of one's own: %d %s", status, text)
	}
	b.Values.Except = []string{"example."}
	if status, text := post("{}"); status != 409 || !strings.Contains(text, "except leaves them") {
		t.Errorf("except: %d %s", status, text)
	}
	b.Values.Except, b.Zones = nil, []string{"corp.example."}
	if status, text := post("{}"); status != 409 {
		t.Errorf("another zone: %d %s", status, text)
	}
	b.Zones = []string{"."}
	for range maxReach {
		if status, text := post("{}"); status != 200 || !strings.Contains(text, api.ReachZone) {
			t.Errorf("%d %s", status, text)
		}
	}
	if status, text := post("{}"); status != 429 {
		t.Errorf("too many: %d %s", status, text)
	}
}

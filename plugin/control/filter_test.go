package control

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// facts are those of a race for a name that all words below are about.
func facts(t *testing.T) *Facts {
	t.Helper()
	name, err := parseName("wiki.corp.example")
	if err != nil {
		t.Fatal(err)
	}
	return &Facts{
		Name: name, Type: dns.TypeA, Verdict: race.NXDomainSOA, Upstream: "[10.1.0.53%tun0]:53", Took: 700 * time.Millisecond, Differ: true,
		Asked: api.AskedSurvey, Good: func() []string { return []string{"[10.1.0.53%tun0]:53"} },
	}
}

func TestFilter(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "corp.example": true, "CORP.example.": true, "wiki.corp.example": true, ".": true, "example": true,
		"orp.example": false, "x.wiki.corp.example": false, "other.example": false,
		"A": true, "a": true, "AAAA": false, "mx": false,
		"@10.1.0.53": true, "@10.1.0.53%tun0": true, "@10.1.0.5": false, "@10.1.0.53%tun1": false, "@[10.1.0.53%tun0]:53": true, "@10.1.0.53:54": false,
		"only:10.1.0.53": true, "only:10.1.0.54": false,
		"denied": true, "failed": false, "slow": true, ">500ms": true, ">1s": false, "differ": true,
		"asked:survey": true, "asked:all": false, "!asked:all": true, "!denied": false, "!!denied": true,
		"corp.example A denied >500ms": true, "corp.example AAAA": false, "corp": false, "denied.": false, "deneid.": false, "  denied\tslow ": true,
	} {
		wanted, err := parseFilter(text, []string{"[10.1.0.53%tun0]:53", "10.1.0.54", "10.1.0.5", "10.1.0.53%tun1", "10.1.0.53:54"})
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if got := wanted(facts(t)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	for text, want := range map[string]string{
		"asked:": "asked is one of", "asked:nobody": "asked is one of", ">": "not a duration", ">500": "not a duration", ">-1s": "not a duration", "a..b": `"a..b"`,
		"@": `"@" lacks`, "only:": `"only:" lacks`, "!": `"!" lacks`, "!!": `"!" lacks`, "!@": `"@" lacks`, strings.Repeat("a", 64) + ".example": "nor another word",
		"A,AAAA": "no commas", "<5ms": "is '!>'", "deneid": "perhaps denied", "!fialed": "perhaps failed", "slwo": "perhaps slow",
		"@192.0.2.9": `"192.0.2.9" is no upstream; they are 192.0.2.1 and 192.0.2.2`, "only:nobody": "is no upstream", "!@nobody": "is no upstream",
	} {
		if _, err := parseFilter(text, []string{"192.0.2.1", "192.0.2.2"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if _, err := parseFilter("@192.0.2.9", nil); err != nil {
		t.Errorf("an upstream that is gone: %v", err)
	}
}

// Whatever the words are, they make a filter or an error.
func FuzzFilter(f *testing.F) {
	f.Add("corp.example !A @10.1.0.53 only:x denied >500ms asked:all")
	f.Add("!!!\\000.\\")
	f.Fuzz(func(t *testing.T, text string) {
		if wanted, err := parseFilter(text, nil); err == nil {
			wanted(facts(t))
		} else if err.Error() == "" {
			t.Error("an error without words")
		}
	})
}

// fuzzed is a socket that is not open, with a block that nobody asks.
func fuzzed() *Socket {
	s := &Socket{Path: "control", watching: watching{hooks: silentHooks}, memories: make(map[string]*Memory), streams: make(chan struct{}, 1), ending: make(chan struct{})}
	close(s.ending) // so that streams end at once
	s.Join(block(s, "127.0.0.1:53", option.Default()))
	return s
}

// Whatever is asked, there is a reply of HTTP, and an error that says something.
func FuzzRequest(f *testing.F) {
	for _, path := range []string{api.Status, api.History + "?filter=denied&name=a&type=A", api.Zones + "?zone=a", api.Events + "?filter=!A", api.Explain + "?name=x.onion"} {
		f.Add("GET " + path + " HTTP/1.1\r\nHost: dnsmus\r\n\r\n")
	}
	f.Add("POST " + api.Forget + " HTTP/1.1\r\nHost: dnsmus\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"all\":true}")
	s := fuzzed()
	s.explains = newLimit()
	f.Fuzz(func(t *testing.T, text string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil || r.URL.Path == api.Explain && !strings.Contains(r.URL.RawQuery, "onion") { // there is nobody to ask
			return
		}
		w := httptest.NewRecorder()
		s.newServer().Handler.ServeHTTP(w, r)
		var failure api.Error
		if w.Code >= 400 && (json.Unmarshal(w.Body.Bytes(), &failure) != nil || failure.Error == "") {
			t.Errorf("%d %q", w.Code, w.Body)
		}
	})
}

// Whatever is to be forgotten, it is an error or counted.
func FuzzForget(f *testing.F) {
	f.Add(`{"name":"a.example"}`)
	f.Add(`{"zone":"\u0000"}`)
	f.Add(`{"all":true,"server":"x"}`)
	s := fuzzed()
	f.Fuzz(func(t *testing.T, text string) {
		r := httptest.NewRequest("POST", "http://"+api.Host+api.Forget, strings.NewReader(text))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.newServer().Handler.ServeHTTP(w, r)
		if w.Code == 200 {
			var sum api.Forgotten
			if err := json.Unmarshal(w.Body.Bytes(), &sum); err != nil || sum != (api.Forgotten{}) {
				t.Errorf("%v %s", err, w.Body)
			}
		}
	})
}

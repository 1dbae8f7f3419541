//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// span is a span as Zipkin's API takes it.
type span struct {
	TraceID, ID, ParentID, Name, Kind string
	Tags                              map[string]string
}

// TestTraceZipkin collects the spans of a query as Zipkin would: each leg has one
// below that of dnsmus, which is below that of the request.
func TestTraceZipkin(t *testing.T) {
	testkit.Long(t) // compiles much
	l := newLoopback(t)
	l.flags = []string{"-tags=trace"}
	var mu sync.Mutex
	spans := make(map[string]span)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var batch []span
		if err := json.NewDecoder(r.Body).Decode(&batch); err != nil || r.URL.Path != "/api/v2/spans" {
			t.Errorf("%s: %v", r.URL, err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, s := range batch {
			spans[s.ID] = s
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	l.Cleanup(collector.Close)
	to, denied := l.inOrder()
	port, metrics, _ := l.server(fmt.Sprintf("trace zipkin %s\ndnsmus %s {\ntimeout 1m\n}", collector.Listener.Addr(), strings.Join(to, " ")))
	want := []string{to[0] + " NXDOMAIN", to[1] + " NOERROR", to[2] + " none before the race was over"}
	slices.Sort(want)
	for i := range 2 {
		name := fmt.Sprintf("load%d.example.", i)
		denied(metrics, i+1)
		if got := ask("127.0.0.1:"+port, name, patience); got != "NOERROR" {
			t.Fatal(got)
		}
		l.eventually(func() error {
			mu.Lock()
			defer mu.Unlock()
			var request span
			for _, s := range spans {
				if s.Name == "servedns" && s.Tags["coredns.io/name"] == name {
					request = s
				}
			}
			var got []string
			for _, s := range spans {
				plugin := spans[s.ParentID]
				if s.Name != "exchange" || s.TraceID != request.TraceID {
					continue
				}
				if s.Kind != "CLIENT" || plugin.Name != "dnsmus" || plugin.ParentID == "" || !below(spans, plugin, request) {
					t.Errorf("span %v has the parent %v and the request is %v", s, plugin, request)
				}
				got = append(got, s.Tags["peer.address"]+" "+s.Tags["dns.rcode"])
			}
			slices.Sort(got)
			if request.ID == "" || !slices.Equal(got, want) {
				return fmt.Errorf("request %v has exchanges %q, want %q", request, got, want)
			}
			return nil
		})
	}
}

// below reports whether s descends from ancestor.
func below(spans map[string]span, s, ancestor span) bool {
	for s.ParentID != "" && s.ID != ancestor.ID {
		s = spans[s.ParentID]
	}
	return s.ID == ancestor.ID
}

package explain

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/internal/testkit"
)

// output keeps what is written from any goroutine.
type output struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	writes int
	after  func(writes int)
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes++
	if o.after != nil {
		o.after(o.writes)
	}
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// On a terminal nothing is left in the end that is not shown elsewhere.
func TestProgress(t *testing.T) {
	t.Parallel()
	var out output
	shown := make(chan struct{})
	out.after = func(writes int) {
		if writes == 3 {
			close(shown)
		}
	}
	slow := func(network string, m *dns.Msg) bool {
		<-shown
		return nxdomain(network, m)
	}
	server := resolver(t, slow)
	s := show.Screen{Writer: &out, Width: 80, Height: 24, Live: true}
	status, _ := on(t, s, "host.example", "--timeout", "1m", "--patience", "1m", "@"+server.String())
	text := testkit.Shown(t, out.String(), 80)
	if status != 2 || !strings.Contains(out.String(), "waiting") || strings.Contains(text, "waiting") || !strings.HasPrefix(text, "host.example. A: NXDOMAIN after ") {
		t.Errorf("status %d, leaves\n%s\nof\n%q", status, text, out.String())
	}
}

package handler

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/source"
)

// withNone returns a handler without upstreams, which follows a file that is not there.
// First queries wait for some for that long.
func withNone(t *testing.T, first time.Duration) (h *Handler, server, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "resolv.conf")
	list := new(source.List)
	list.Add(source.File(file))
	list.Read()
	h = started(Config{Values: option.Values{Rules: patientRules, Patience: testkit.Patience}})
	h.Follow(list, Listeners{})
	h.follow.firstWait = first
	return h, serveHandler(t, h), file
}

func say(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// While no upstream is known queries fail with the reason; once there is one they do not.
func TestNoneYet(t *testing.T) {
	t.Parallel()
	one := gives(t, "192.0.2.11", 0)
	h, server, file := withNone(t, firstWait)
	for _, network := range []string{"udp", "tcp"} {
		m := question("host.example.", dns.TypeA)
		m.SetEdns0(1232, true)
		r := mustExchange(t, network, server, m)
		opt := r.IsEdns0()
		if r.Rcode != dns.RcodeServerFailure || opt == nil || len(opt.Option) != 1 {
			t.Fatalf("%s: %v", network, r)
		}
		if e, ok := opt.Option[0].(*dns.EDNS0_EDE); !ok || e.InfoCode != dns.ExtendedErrorCodeNoReachableAuthority || e.ExtraText != "no upstream is known yet" {
			t.Errorf("%s: %v", network, r)
		}
		if r := mustExchange(t, network, server, question("host.example.", dns.TypeA)); r.Rcode != dns.RcodeServerFailure || r.IsEdns0() != nil {
			t.Errorf("%s without EDNS: %v", network, r)
		}
	}
	if h.Ready() {
		t.Error("it is ready")
	}
	say(t, file, fmt.Sprintf("nameserver %s\n", one))
	testkit.Eventually(t, func() error {
		if got := address(t, server); got != "192.0.2.11" {
			return fmt.Errorf("with an upstream: %s", got)
		}
		return nil
	})
	if !h.Ready() {
		t.Error("it is not ready")
	}
}

// What has become known since the start is known to the first query.
func TestNoneAtFirst(t *testing.T) {
	one := gives(t, "192.0.2.11", 0)
	_, server, file := withNone(t, testkit.Patience)
	say(t, file, fmt.Sprintf("nameserver %s\n", one))
	if got := address(t, server); got != "192.0.2.11" {
		t.Errorf("the first query: %s", got)
	}
}

// Who asks whether the server is ready makes it look.
func TestNoneReady(t *testing.T) {
	one := gives(t, "192.0.2.11", 0)
	h, _, file := withNone(t, firstWait)
	if h.Ready() {
		t.Error("it is ready")
	}
	say(t, file, fmt.Sprintf("nameserver %s\n", one))
	testkit.Eventually(t, func() error {
		if !h.Ready() {
			return fmt.Errorf("it is not ready")
		}
		return nil
	})
}

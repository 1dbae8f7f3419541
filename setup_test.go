package dnsmus

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/handler"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func parseText(text string) (stanza, error) {
	return parseStanza(caddy.NewTestController("dns", text))
}

// writeFiles makes a directory of files, given as name and content in turn.
func writeFiles(t *testing.T, files ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// wantError checks that a stanza is refused, at the line wanted and with words
// that say what is wrong.
func wantError(t *testing.T, stanza string, line int, words ...string) {
	t.Helper()
	cfg, err := parseText(stanza)
	if err == nil {
		t.Errorf("%s\nis taken for %+v", stanza, cfg)
		return
	}
	if at := fmt.Sprintf("Testfile:%d - ", line); !strings.HasPrefix(err.Error(), at) {
		t.Errorf("%s\nerror is %v, want it to start with %s", stanza, err, at)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s\nerror is %v, want it to have %s", stanza, err, word)
		}
	}
}

func TestTwoStanzas(t *testing.T) {
	for _, tc := range []struct {
		stanzas string
		line    int
	}{
		{"dnsmus 192.0.2.1\ndnsmus 192.0.2.2", 2},
		{"dnsmus 192.0.2.1 {\n}\n\ndnsmus 192.0.2.1", 4},
		{"dnsmus 192.0.2.1 {\n force_tcp\n}\ndnsmus 192.0.2.2 {\n force_tcp\n}", 4},
	} {
		wantError(t, tc.stanzas, tc.line, "'dnsmus': "+plugin.ErrOnce.Error(), "one stanza")
	}
}

func TestSetup(t *testing.T) {
	setup, err := caddy.DirectiveAction("dns", "dnsmus")
	if err != nil {
		t.Fatal(err)
	}
	c := caddy.NewTestController("dns", "dnsmus 192.0.2.1")
	if err := setup(c); err != nil {
		t.Fatal(err)
	}
	chain := dnsserver.GetConfig(c).Plugin
	if len(chain) != 1 {
		t.Fatalf("%d plugins in the chain, want 1", len(chain))
	}
	next := new(handler.Handler)
	h, ok := chain[0](next).(*handler.Handler)
	if !ok || h.Name() != "dnsmus" || h.Next != next {
		t.Errorf("the chain has %#v, want dnsmus and the next plugin after it", h)
	}
	// Files are watched from startup to shutdown, and without the latter each
	// reload would leave sockets behind. Caddy shows its hooks to nobody else.
	for hook, want := range map[string]int{"OnStartup": 2, "OnShutdown": 1} {
		if n := reflect.ValueOf(c).Elem().FieldByName("instance").Elem().FieldByName(hook).Len(); n != want {
			t.Errorf("%d functions in %s, want %d", n, hook, want)
		}
	}

	c = caddy.NewTestController("dns", "dnsmus 192.0.2.1 {\n timeout x\n}")
	if err := setup(c); err == nil || !strings.HasPrefix(err.Error(), "plugin/dnsmus: Testfile:2 - ") {
		t.Errorf("error is %v, want it to name plugin and line", err)
	}
	if n := len(dnsserver.GetConfig(c).Plugin); n != 0 {
		t.Errorf("%d plugins in the chain after an error", n)
	}
}

package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

func TestLinksRows(t *testing.T) {
	s, err := server.Parse("10.0.0.53%tun0")
	if err != nil {
		t.Fatal(err)
	}
	s.Domains = []string{"corp.example.", "lab.example."}
	rows := linkRows([]source.Inventory{
		{Source: "systemd-resolved", Named: []source.Named{{What: s.String(), Server: s}, {What: "127.0.0.53:53", Skipped: "loopback"}}},
		{Source: "NetworkManager", Err: errors.New("NetworkManager\x1b is not running")},
		{Source: "resolvconf"},
		{Named: []source.Named{{What: "192.0.2.1:53"}}},
	}, func(server.Server) link.State { return link.Unbound })
	want := strings.Join([]string{
		"SOURCE            INTERFACE  SERVER             DOMAINS                     STATUS",
		"systemd-resolved  tun0  [10.0.0.53%tun0]:53  corp.example. lab.example.  asked, using the routing table",
		"systemd-resolved  -     127.0.0.53:53      -                           left out: loopback",
		"NetworkManager    -     -                  -                           NetworkManager? is not running",
		"resolvconf        -     -                  -                           names no resolver",
		"command line      -     192.0.2.1:53       -                           asked", ""}, "\n")
	squeeze := func(s string) string {
		var lines []string
		for line := range strings.Lines(s) {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		return strings.Join(lines, "\n")
	}
	if got := string(linksText(rows, show.Screen{})); squeeze(got) != squeeze(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	gone := linkRows([]source.Inventory{{Named: []source.Named{{What: s.String(), Server: s}}}}, func(server.Server) link.State { return link.Gone })
	if r := gone[0]; r.Asked || r.Why == "" || !strings.HasPrefix(r.status(), "down: ") || linksExit(gone) != exitNoUpstreams {
		t.Errorf("over a link that is gone: %+v", gone)
	}
	if linksExit(rows) != exitGood || linksExit(rows[1:4]) != exitNoUpstreams || linksExit(nil) != exitNoUpstreams {
		t.Error("exit statuses are wrong")
	}
	var out struct {
		Links []struct {
			Source, Interface, Server, Why, State string
			Domains                               []string
			Asked                                 bool
		}
	}
	d := json.NewDecoder(bytes.NewReader(linksJSON(rows)))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil || len(out.Links) != 5 || out.Links[0].Interface != "tun0" || !out.Links[0].Asked || len(out.Links[0].Domains) != 2 || out.Links[1].Why != "loopback" || out.Links[1].Domains == nil || out.Links[0].State != "routed" || out.Links[1].State != "" {
		t.Errorf("%v: %+v", err, out)
	}
	if got := string(linksJSON(nil)); !strings.Contains(got, `"links": []`) {
		t.Errorf("of nothing: %s", got)
	}
}

// What the command line names stands beside what the system knows.
func TestLinksCommand(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent") // not this machine's
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte("nameserver 192.0.2.77\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, problems := explains(t, "--links", "-f", file, "@192.0.2.78")
	for _, want := range []string{"SOURCE", "192.0.2.77:53", "192.0.2.78:53", "command line"} {
		if !strings.Contains(out, want) {
			t.Errorf("there is no %s in\n%s", want, out)
		}
	}
	if status != exitGood || problems != "" {
		t.Errorf("status %d, problems %s", status, problems)
	}
	if status, _, problems := explains(t, "--links", "host.example"); status != exitUsage || !strings.Contains(problems, "@links") {
		t.Errorf("with a name: status %d, %s", status, problems)
	}
	cfg, err := parse([]string{"@links", "host.example"})
	if err != nil || !cfg.list.MayBeEmpty() || !cfg.named {
		t.Errorf("@links: %+v, %v", cfg, err)
	}
}

package explain

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

// The stanza of the server block that serves the name is taken, and flags are added to it.
func TestCorefile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "Corefile")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	stanza := func(addr string, zones ...string) Stanza {
		list := new(source.List)
		list.AddServer(server.Plain(netip.MustParseAddrPort(addr + ":53")))
		v := option.Default()
		v.Learn, v.Cache, v.Patience, v.Except = time.Minute, 2000, time.Second, []string{"left.example."}
		return Stanza{Zones: zones, To: []string{addr, "links"}, List: list, Values: v}
	}
	read := func(name string, contents []byte) ([]Stanza, error) {
		if name != file || string(contents) != "text" {
			t.Errorf("reads %s: %q", name, contents)
		}
		return []Stanza{stanza("192.0.2.1", "."), stanza("192.0.2.2", "corp.example.", "lab.example."), stanza("192.0.2.3", "deep.corp.example.")}, nil
	}
	for name, want := range map[string]string{
		"www.example.": "192.0.2.1:53", "corp.example.": "192.0.2.2:53", "a.LAB.example.": "192.0.2.2:53", "a.deep.corp.example.": "192.0.2.3:53", "notcorp.example.": "192.0.2.1:53",
	} {
		cfg, err := parse([]string{name, "-conf", file, "--timeout", "1s"})
		if err != nil {
			t.Fatal(err)
		}
		a, err := cfg.choose(name, read)
		if err != nil || len(a.list.Servers()) != 1 || a.list.Servers()[0].String() != want || a.from != want[:9]+" and links, as in "+file {
			t.Errorf("%s: %+v, %v, want %s", name, a, err, want)
		}
		if v := a.values; v.Rules.Timeout != time.Second || v.Patience != time.Second || v.Learn != 0 || v.Cache != 0 {
			t.Errorf("options are %+v", v)
		}
		if excepted(&a.values, "X.Left.example.") != "left.example." || excepted(&a.values, name) != "" {
			t.Error("except is read wrongly")
		}
	}

	cfg, err := parse([]string{"host.test", "-conf", file})
	if err != nil {
		t.Fatal(err)
	}
	other := func(string, []byte) ([]Stanza, error) { return []Stanza{stanza("192.0.2.1", "example.")}, nil }
	if _, err := cfg.choose("host.test.", other); err == nil {
		t.Error("a name that is not served is asked for")
	}
	broken := errors.New("broken")
	if _, err := cfg.choose("host.test.", func(string, []byte) ([]Stanza, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	cfg.conf += "x"
	if _, err := cfg.choose("host.test.", other); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	status, _, problems := explains(t, "host.test", "-conf", file+"x")
	if status != 66 || problems == "" {
		t.Errorf("status %d, %s", status, problems)
	}
}

package source

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/server"
)

func (d tree) records(dirs ...string) *records {
	r := &records{present: func() (interfaces, error) { return someLinks, nil }}
	for _, dir := range dirs {
		r.dirs = append(r.dirs, d.path(dir))
	}
	return r
}

func TestRecords(t *testing.T) {
	d := tree{t, t.TempDir()}
	r := d.records("keys", "interfaces", "interface")
	if _, err := r.Read(); !isAbsent(err) || !strings.Contains(err.Error(), d.path("keys")+" or ") {
		t.Errorf("nothing is there: %v", err)
	}
	d.mkdir("interfaces")
	if reading, err := r.Read(); err != nil || len(reading.Servers) > 0 {
		t.Errorf("nothing is known: %+v, %v", reading, err)
	}
	d.write("interfaces/tun0", "# from wg-quick\nsearch corp.example Lab.example\nnameserver 10.0.0.53\nnameserver 10.0.0.54%eth0\n")
	d.write("interfaces/eth0.dhclient", "domain home.example\nnameserver 192.168.1.1\nnameserver 127.0.0.1\nnameserver x\n")
	d.write("interfaces/eth0.100.ip6", "nameserver 10.0.0.53\nnameserver fe80::1\nnameserver fe80::2%eth0.100\n")
	d.write("interfaces/NetworkManager", "nameserver 10.1.0.53\nnameserver 10.0.0.53\n")
	d.write("interfaces/tun9", "nameserver 10.2.0.53")
	d.write("interfaces/.tun0.swp", "nameserver 10.9.0.53\n")
	d.mkdir("interfaces/odd")
	d.link("interface", "interfaces") // the same under another name
	reading, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "servers", written(reading.Servers),
		"10.1.0.53:53", "10.0.0.53:53",
		"[10.0.0.53%eth0.100]:53", "[fe80::2%eth0.100]:53",
		"[192.168.1.1%eth0]:53 home.example.",
		"[10.0.0.53%tun0]:53 corp.example. lab.example.", "[10.0.0.54%eth0]:53 corp.example. lab.example.",
		"10.2.0.53:53")
	expect(t, "left out", whatAndWhy(reading.Skipped), d.path("interfaces/odd")+": "+d.path("interfaces/odd")+" is not a regular file", "[127.0.0.1%eth0]:53: loopback")
	if w := reading.Warnings; len(w) != 2 || !strings.HasPrefix(w[0], d.path("interfaces/eth0.100.ip6")+":2: ") || !strings.HasPrefix(w[1], d.path("interfaces/eth0.dhclient")+":4: ") {
		t.Errorf("warnings are %q", w)
	}
}

// The names of records are those of interfaces, and may be anything; so may their lines.
func TestRecordsHostile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no such names")
	}
	d := tree{t, t.TempDir()}
	d.mkdir("interfaces")
	d.write("interfaces/"+hostile, "nameserver 10.0.0.1"+hostile+"\nnameserver \x1b[31m\nport \x1b\nnameserver\x1b 10.0.0.2\nsearch a\x1b.example\nnameserver 10.0.0.3\n")
	d.mkdir("interfaces/odd" + hostile)
	reading, err := d.records("interfaces").Read()
	if err != nil || len(reading.Servers) != 2 || len(reading.Skipped) != 1 || len(reading.Warnings) < 3 {
		t.Errorf("%+v, %v", reading, err)
	}
	mustShow(t, append(append(whatAndWhy(reading.Skipped), written(reading.Servers)...), reading.Warnings...)...)
}

// Records are followed, also where their directory is not there at first.
func TestRecordsFollowed(t *testing.T) {
	t.Parallel()
	d := tree{t, t.TempDir()}
	d.mkdir("run")
	list := &List{entries: []*entry{{source: d.records("run/resolvconf/interfaces"), system: true}}}
	said := make(chan []server.Server, 100)
	stop, err := list.Watch(func(r Report) {
		if len(r.Reloaded) > 0 {
			said <- list.Servers()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	d.mkdir("run/resolvconf")
	d.mkdir("run/resolvconf/interfaces")
	d.write("run/resolvconf/interfaces/tun0.vpn", "nameserver 10.0.0.53\n")
	await(t, said, "[10.0.0.53%tun0]:53")
	d.write("run/resolvconf/interfaces/eth0", "nameserver 192.0.2.1\n")
	await(t, said, "[192.0.2.1%eth0]:53", "[10.0.0.53%tun0]:53")
	d.write("run/resolvconf/interfaces/eth0", "nameserver 192.0.2.2\n")
	await(t, said, "[192.0.2.2%eth0]:53", "[10.0.0.53%tun0]:53")
	d.remove("run/resolvconf/interfaces/tun0.vpn")
	await(t, said, "[192.0.2.2%eth0]:53")
}

// A list with links begins without any, tells once if the system has nothing that could
// know some, and does not mind who is absent.
func TestLinksOfList(t *testing.T) {
	d := tree{t, t.TempDir()}
	list := &List{links: true, entries: []*entry{{source: d.records("interfaces"), system: true}}}
	if !list.MayBeEmpty() || new(List).MayBeEmpty() {
		t.Error("which list may be empty?")
	}
	if r := list.Read(); len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Error(), "links: nothing on this system knows its resolvers; looked for ") || !strings.Contains(r.Problems[0].Error(), DefaultFile()) {
		t.Errorf("first: %+v", r)
	}
	if r := list.Read(); len(r.Problems)+len(r.Reloaded) > 0 {
		t.Errorf("second: %+v", r)
	}
	d.mkdir("interfaces")
	d.write("interfaces/eth0", "nameserver 192.0.2.1\n")
	if r := list.Read(); len(r.Problems) > 0 || !slices.Equal(r.Reloaded, []string{"resolvconf"}) {
		t.Errorf("third: %+v", r)
	}
	d.remove("interfaces")
	if r := list.Read(); len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Error(), "no directory") {
		t.Errorf("fourth: %+v", r)
	}
	expect(t, "servers that stay", written(list.Servers()), "[192.0.2.1%eth0]:53")
	list.AddLinks() // they are there
	if n := len(list.Sources()); n != 1 {
		t.Errorf("%d sources", n)
	}
	all := new(List)
	all.AddLinks()
	all.AddLinks()
	if n := len(all.Sources()); n == 0 || n != len(systemSources()) {
		t.Errorf("%d sources of the system, want %d", n, len(systemSources()))
	}
}

func TestInventory(t *testing.T) {
	d := tree{t, t.TempDir()}
	d.mkdir("interfaces")
	d.write("interfaces/eth0", "nameserver 192.0.2.1\nnameserver 127.0.0.53\n")
	d.write("file", "nameserver 192.0.2.1\nnameserver 192.0.2.1%eth0\nnameserver 192.0.2.2\n")
	list := &List{links: true, entries: []*entry{{source: d.records("interfaces"), system: true}, {source: d.records("none"), system: true}}}
	list.Add(File(d.path("file")))
	list.AddServer(parsed(t, "192.0.2.2")[0])
	list.Read()
	var got []string
	for _, s := range list.Inventory() {
		if s.Err != nil {
			got = append(got, s.Source+": an error")
		}
		for _, n := range s.Named {
			got = append(got, s.Source+" "+n.What+" "+n.Skipped)
		}
	}
	expect(t, "inventory", got,
		"resolvconf [192.0.2.1%eth0]:53 ", "resolvconf [127.0.0.53%eth0]:53 loopback", "resolvconf: an error",
		d.path("file")+" 192.0.2.1:53 named with an interface elsewhere", d.path("file")+" [192.0.2.1%eth0]:53 already named", d.path("file")+" 192.0.2.2:53 ",
		" 192.0.2.2:53 already named")
}

// A source that has just come does not take away what it said before.
func TestWarming(t *testing.T) {
	s := &told{servers: plain("192.0.2.1:53")}
	list := &List{entries: []*entry{{source: justStarted{s}, system: true}, {source: s}}}
	list.Read()
	s.servers = plain("192.0.2.2:53")
	list.Read()
	expect(t, "servers", written(list.Servers()), "192.0.2.2:53", "192.0.2.1:53")
}

type justStarted struct{ *told }

func (s justStarted) Read() (Reading, error) {
	r, err := s.told.Read()
	r.Warming = true
	return r, err
}

// Beside what the system knows the default file may be missing, but no other.
func TestDefaultFileMissing(t *testing.T) {
	if _, err := File(DefaultFile()).Read(); err == nil {
		testkit.Lack(t, "a system without %s", DefaultFile())
	}
	for _, file := range []string{DefaultFile(), "/nonexistent/resolv.conf"} {
		list := &List{links: true, entries: []*entry{{source: &told{servers: plain("192.0.2.1:53")}, system: true}}}
		list.Add(File(file))
		if r, want := list.Read(), file != DefaultFile(); (len(r.Problems) == 1) != want {
			t.Errorf("%s: problems are %v", file, r.Problems)
		}
		alone := new(List)
		alone.Add(File(file))
		if r := alone.Read(); len(r.Problems) != 1 {
			t.Errorf("%s alone: problems are %v", file, r.Problems)
		}
	}
}

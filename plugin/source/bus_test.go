//go:build linux

package source

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// busDaemon is a private bus, which may be killed and started again.
type busDaemon struct {
	*testing.T
	dir  string
	proc *exec.Cmd
}

func newBus(t *testing.T) *busDaemon {
	t.Helper()
	testkit.Need(t, false, "dbus-daemon")
	dir, err := os.MkdirTemp("", "bus") // short: the path of a socket has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	b := &busDaemon{T: t, dir: dir}
	const config = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>`
	if err := os.WriteFile(filepath.Join(dir, "conf"), fmt.Appendf(nil, config, b.address()), 0o644); err != nil {
		t.Fatal(err)
	}
	b.start()
	t.Cleanup(b.kill)
	return b
}

func (b *busDaemon) address() string { return "unix:path=" + filepath.Join(b.dir, "socket") }

func (b *busDaemon) start() {
	b.Helper()
	b.proc = exec.Command("dbus-daemon", "--nofork", "--nopidfile", "--config-file="+filepath.Join(b.dir, "conf"))
	b.proc.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.proc.Start(); err != nil {
		b.Fatal(err)
	}
	testkit.Eventually(b.T, func() error {
		conn, err := net.Dial("unix", filepath.Join(b.dir, "socket"))
		if err == nil {
			conn.Close()
		}
		return err
	})
}

func (b *busDaemon) kill() {
	if b.proc != nil {
		b.proc.Process.Kill()
		b.proc.Wait()
		b.proc = nil
		os.Remove(filepath.Join(b.dir, "socket"))
	}
}

// object is one of a fake program on the bus.
type object struct {
	mu    sync.Mutex
	calls int
	fails *dbus.Error                        // nil: it does not
	props map[string]map[string]dbus.Variant // by interface and name
}

// GetAll is org.freedesktop.DBus.Properties's.
func (o *object) GetAll(of string) (map[string]dbus.Variant, *dbus.Error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls++
	if o.fails != nil {
		return nil, o.fails
	}
	all, ok := o.props[of]
	if !ok {
		return nil, dbus.MakeFailedError(fmt.Errorf("no interface %s", of))
	}
	return all, nil
}

// replace has the object answer with these properties, until back is called.
func (o *object) replace(props map[string]map[string]dbus.Variant) (back func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.props
	o.props = props
	return func() { o.replace(before) }
}

// asked waits until somebody asks.
func (o *object) asked(t *testing.T) {
	t.Helper()
	testkit.Eventually(t, func() error {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.calls == 0 {
			return errors.New("nobody asks")
		}
		return nil
	})
}

// program is a fake one on the bus.
type program struct {
	*testing.T
	conn *dbus.Conn
	name string
}

func (b *busDaemon) run(name string) *program {
	b.Helper()
	conn, err := dbus.Connect(b.address())
	if err != nil {
		b.Fatal(err)
	}
	p := &program{b.T, conn, name}
	b.Cleanup(p.end)
	return p
}

func (p *program) end() { p.conn.Close() }

func (p *program) export(v any, path dbus.ObjectPath, of string) {
	p.Helper()
	if err := p.conn.Export(v, path, of); err != nil {
		p.Fatal(err)
	}
}

// appear takes the program's name.
func (p *program) appear() {
	p.Helper()
	if reply, err := p.conn.RequestName(p.name, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		p.Fatalf("name %s: %v, %v", p.name, reply, err)
	}
}

func (p *program) changed(path dbus.ObjectPath, of string) {
	p.Helper()
	if err := p.conn.Emit(path, "org.freedesktop.DBus.Properties.PropertiesChanged", of, map[string]dbus.Variant{}, []string{"any"}); err != nil {
		p.Fatal(err)
	}
}

const properties = "org.freedesktop.DBus.Properties"

// fakeResolved does as systemd-resolved 252.
type fakeResolved struct {
	*program
	mu      sync.Mutex
	manager *object
	links   map[int32]*object
}

const resolvedPath = dbus.ObjectPath("/org/freedesktop/resolve1")

func (b *busDaemon) resolved() *fakeResolved {
	b.Helper()
	f := &fakeResolved{program: b.run("org.freedesktop.resolve1"), manager: &object{}, links: make(map[int32]*object)}
	f.set(nil, nil, nil)
	f.export(f.manager, resolvedPath, properties)
	f.export(f, resolvedPath, "org.freedesktop.resolve1.Manager")
	return f
}

// GetLink is the Manager's.
func (f *fakeResolved) GetLink(link int32) (dbus.ObjectPath, *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.links[link] == nil {
		return "", dbus.NewError("org.freedesktop.resolve1.NoSuchLink", nil)
	}
	return resolvedPath + dbus.ObjectPath(fmt.Sprintf("/link/_3%d", link)), nil
}

func (f *fakeResolved) set(servers []resolvedServer, domains []resolvedDomain, overTLS map[int32]string) {
	f.Helper()
	if servers == nil {
		servers = []resolvedServer{}
	}
	if domains == nil {
		domains = []resolvedDomain{}
	}
	f.manager.mu.Lock()
	f.manager.props = map[string]map[string]dbus.Variant{"org.freedesktop.resolve1.Manager": {
		"DNSEx": dbus.MakeVariant(servers), "Domains": dbus.MakeVariant(domains), "DNSOverTLS": dbus.MakeVariant("no"),
	}}
	f.manager.mu.Unlock()
	settings := map[int32]string{}
	for _, s := range servers {
		if s.Link != 0 {
			settings[s.Link] = "no"
		}
	}
	maps.Copy(settings, overTLS)
	f.mu.Lock()
	defer f.mu.Unlock()
	for link, setting := range settings {
		o := &object{props: map[string]map[string]dbus.Variant{"org.freedesktop.resolve1.Link": {"DNSOverTLS": dbus.MakeVariant(setting)}}}
		f.links[link] = o
		f.export(o, resolvedPath+dbus.ObjectPath(fmt.Sprintf("/link/_3%d", link)), properties)
	}
}

func (f *fakeResolved) tell() {
	f.Helper()
	f.changed(resolvedPath, "org.freedesktop.resolve1.Manager")
}

const managerPath = dbus.ObjectPath("/org/freedesktop/NetworkManager/DnsManager")

type connection map[string]dbus.Variant

func connected(link string, domains []string, servers ...string) connection {
	return connection{"interface": dbus.MakeVariant(link), "nameservers": dbus.MakeVariant(servers), "domains": dbus.MakeVariant(domains),
		"priority": dbus.MakeVariant(int32(-50)), "vpn": dbus.MakeVariant(true)}
}

// fakeManager does as NetworkManager 1.42.
type fakeManager struct {
	*program
	*object
}

func (b *busDaemon) manager() *fakeManager {
	b.Helper()
	f := &fakeManager{b.run("org.freedesktop.NetworkManager"), &object{}}
	f.set()
	f.export(f.object, managerPath, properties)
	return f
}

func (f *fakeManager) set(connections ...connection) {
	if connections == nil {
		connections = []connection{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.props = map[string]map[string]dbus.Variant{"org.freedesktop.NetworkManager.DnsManager": {"Configuration": dbus.MakeVariant(connections), "Mode": dbus.MakeVariant("default")}}
}

func (f *fakeManager) tell() {
	f.Helper()
	f.changed(managerPath, "org.freedesktop.NetworkManager.DnsManager")
}

// watched is a list of what both programs on a bus say, followed.
type watched struct {
	*testing.T
	mu        sync.Mutex
	servers   []string
	everNamed map[string]bool
	fewest    int // servers that there were, since some were expected
	problems  []string
}

func (b *busDaemon) watch(warming time.Duration) *watched {
	b.Helper()
	list := &List{}
	for _, s := range []*service{newResolved(), newNetworkManager()} {
		s.address, s.warming = b.address(), warming
		list.entries = append(list.entries, &entry{source: s, system: true})
	}
	w := &watched{T: b.T, everNamed: make(map[string]bool)}
	stop, err := list.Watch(func(r Report) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.servers = written(list.Servers())
		for _, s := range w.servers {
			w.everNamed[s] = true
		}
		w.fewest = min(w.fewest, len(w.servers))
		for _, err := range r.Problems {
			w.problems = append(w.problems, err.Error())
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(stop)
	return w
}

// expect waits until these are the servers.
func (w *watched) expect(want ...string) {
	w.Helper()
	testkit.Eventually(w.T, func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !slices.Equal(w.servers, want) {
			return fmt.Errorf("servers are %q, want %q", w.servers, want)
		}
		w.fewest = len(want)
		return nil
	})
}

// everHad fails if there were fewer servers at any time since expect.
func (w *watched) everHad(n int) {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fewest < n {
		w.Errorf("there were %d servers only, want %d all the time", w.fewest, n)
	}
}

func (w *watched) complaints(containing string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.problems {
		if strings.Contains(p, containing) {
			n++
		}
	}
	return n
}

// The one interface that all systems have is that of loopback, as link of fake servers.
const lo = 1

var (
	first  = resolvedServer{Link: lo, Family: 2, Address: []byte{10, 0, 0, 1}}
	second = resolvedServer{Link: lo, Family: 10, Address: net.ParseIP("2001:db8::1"), Port: 5353}
	global = resolvedServer{Family: 2, Address: []byte{10, 0, 0, 9}}
)

// Programs on the bus come, change and go.
func TestBus(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	w := b.watch(warmingTime)
	w.expect()

	r := b.resolved()
	r.set([]resolvedServer{first, global}, []resolvedDomain{{lo, "corp.example", true}}, nil)
	r.appear()
	w.expect("10.0.0.9:53", "[10.0.0.1%lo]:53 corp.example.")

	r.set([]resolvedServer{first, second, {Link: lo, Family: 2, Address: []byte{127, 0, 0, 53}}, {Link: 4242, Family: 2, Address: []byte{10, 0, 0, 3}}}, nil, nil)
	r.tell()
	w.expect("[10.0.0.1%lo]:53", "[2001:db8::1%lo]:5353")

	m := b.manager()
	m.set(connected("lo", []string{"~x.example"}, "10.0.0.1", "10.0.0.2"))
	m.appear()
	w.expect("[10.0.0.1%lo]:53 x.example.", "[2001:db8::1%lo]:5353", "[10.0.0.2%lo]:53 x.example.")

	// What is told without an event is noticed all the same.
	r.set([]resolvedServer{first}, []resolvedDomain{{lo, "y.example", false}}, map[int32]string{lo: "yes"})
	// NetworkManager, which does not know that it is over TLS, does not undo that.
	w.expect("tls://[10.0.0.1%lo]:853 y.example. x.example.", "[10.0.0.2%lo]:53 x.example.")

	// Nothing is lost when a program ends, and starts again knowing little.
	if n := w.complaints(""); n != 0 {
		t.Errorf("problems: %q", w.problems)
	}
	m.end()
	testkit.Eventually(t, func() error {
		if w.complaints("NetworkManager is not running") != 1 {
			return errors.New("no complaint of NetworkManager")
		}
		return nil
	})
	m = b.manager()
	m.appear()
	m.asked(t)
	m.set(connected("lo", nil, "10.0.0.2"))
	m.tell()
	w.expect("tls://[10.0.0.1%lo]:853 y.example.", "[10.0.0.2%lo]:53") // in the end what it says counts
}

// The bus goes and comes, and its programs with it: the last that was known stays.
func TestBusRestarts(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	r := b.resolved()
	r.set([]resolvedServer{first, second}, nil, nil)
	r.appear()
	w := b.watch(time.Hour) // more than this test takes
	want := []string{"[10.0.0.1%lo]:53", "[2001:db8::1%lo]:5353"}
	w.expect(want...)
	for range 3 {
		b.kill()
		b.start()
		r = b.resolved()
		r.appear() // it knows nothing at first
		r.manager.asked(t)
		r.set([]resolvedServer{first, second}, nil, nil)
		r.tell()
		w.everHad(2)
	}
	third := first
	third.Address = []byte{10, 0, 0, 3}
	r.set([]resolvedServer{first, second, third}, nil, nil)
	r.tell()
	w.expect("[10.0.0.1%lo]:53", "[2001:db8::1%lo]:5353", "[10.0.0.3%lo]:53")
	w.everHad(2)
}

// A bus that comes late is found.
func TestBusLate(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	b.kill()
	w := b.watch(warmingTime)
	w.expect()
	b.start()
	m := b.manager()
	m.set(connected("lo", nil, "10.0.0.2"))
	m.appear()
	w.expect("[10.0.0.2%lo]:53")
	if n := w.complaints(""); n != 0 {
		t.Errorf("problems: %q", w.problems)
	}
}

// What a program that has just started does not name is taken away once it must know
// everything, though it does not say so.
func TestBusWarm(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	r := b.resolved()
	r.set([]resolvedServer{first, second}, nil, nil)
	r.appear()
	w := b.watch(2 * secondLook)
	w.expect("[10.0.0.1%lo]:53", "[2001:db8::1%lo]:5353")
	r.end()
	r = b.resolved()
	r.set([]resolvedServer{first}, nil, nil)
	begun := time.Now()
	r.appear()
	w.expect("[10.0.0.1%lo]:53")
	if took := time.Since(begun); took > busLook/2 {
		t.Errorf("it took %v", took)
	}
}

// A program whose answer was an error is asked again.
func TestBusFails(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	r := b.resolved()
	r.set([]resolvedServer{first}, nil, nil)
	fail := func(err *dbus.Error) {
		r.manager.mu.Lock()
		defer r.manager.mu.Unlock()
		r.manager.fails = err
	}
	fail(dbus.NewError("org.freedesktop.DBus.Error.LimitsExceeded", nil))
	r.appear()
	w := b.watch(0)
	w.untilComplaint("LimitsExceeded", 1)
	time.Sleep(2 * secondLook)
	fail(nil)
	begun := time.Now()
	w.expect("[10.0.0.1%lo]:53")
	if took := time.Since(begun); took > busLook/2 {
		t.Errorf("it took %v", took)
	}
}

// A program that never answers is given up.
func TestBusSilent(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	r := b.resolved()
	r.manager.mu.Lock()
	defer r.manager.mu.Unlock()
	r.appear()
	s := newResolved()
	s.address = b.address()
	if _, err := s.Read(); err == nil || isAbsent(err) {
		t.Errorf("error is %v", err)
	}
}

// What a program on the bus says, as an error or in names, is fit to be shown.
func TestBusHostile(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	m := b.manager()
	m.set(connected(hostile, []string{hostile, "corp.example"}, "10.0.0.2", hostile, "dns+tls://10.0.0.3#"+hostile))
	m.appear()
	s := newNetworkManager()
	s.address = b.address()
	reading, err := s.Read()
	if err != nil || len(reading.Servers) != 0 || len(reading.Skipped) != 3 {
		t.Errorf("%+v, %v", reading, err)
	}
	mustShow(t, whatAndWhy(reading.Skipped)...)
	m.mu.Lock()
	m.fails = dbus.NewError("org.example.Failed", []any{hostile})
	m.mu.Unlock()
	if _, err := s.Read(); err == nil {
		t.Error("no error")
	} else {
		mustShow(t, err.Error())
	}
}

// link returns the object of an interface.
func (f *fakeResolved) link(n int32) *object {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.links[n]
}

// never fails if a server is asked in plain text that should not be, or was.
func (w *watched) never(plain string) {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.everNamed[plain] {
		w.Errorf("%s was asked in plain text", plain)
	}
}

// untilComplaint waits for one more that contains this.
func (w *watched) untilComplaint(containing string, more int) {
	w.Helper()
	testkit.Eventually(w.T, func() error {
		if n := w.complaints(containing); n < more {
			return fmt.Errorf("%d complaints about %q", n, containing)
		}
		return nil
	})
}

// Where systemd-resolved does not say whether a server is asked over TLS, it is not asked in
// plain text: what was known stays, and one of which nothing is known is not asked.
func TestBusStrictTLS(t *testing.T) {
	t.Parallel()
	const inTLS, inPlain = "tls://[10.0.0.1%lo]:853", "[10.0.0.1%lo]:53"
	for what, fail := range map[string]func(o *object) (mended func()){
		"too slow": func(o *object) func() {
			o.mu.Lock()
			return o.mu.Unlock
		},
		"an error": func(o *object) func() { return o.replace(nil) },
		"no such property": func(o *object) func() {
			return o.replace(map[string]map[string]dbus.Variant{"org.freedesktop.resolve1.Link": {}})
		},
		"another type": func(o *object) func() {
			return o.replace(map[string]map[string]dbus.Variant{"org.freedesktop.resolve1.Link": {"DNSOverTLS": dbus.MakeVariant(true)}})
		},
	} {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, known before %v", what, known), func(t *testing.T) {
				t.Parallel()
				b := newBus(t)
				r := b.resolved()
				r.set([]resolvedServer{first}, nil, map[int32]string{lo: "yes"})
				var w *watched
				if known {
					r.appear()
					w = b.watch(0)
					w.expect(inTLS)
				}
				mended := fail(r.link(lo))
				if known {
					r.tell()
				} else {
					r.appear()
					w = b.watch(0)
				}
				w.untilComplaint("systemd-resolved", 1)
				if known {
					w.everHad(1)
				} else {
					w.expect()
				}
				mended()
				r.tell()
				w.expect(inTLS)
				w.never(inPlain)
			})
		}
	}
}

// An interface that goes while it is read takes its own servers along, and no others.
func TestBusLinkGoes(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	r := b.resolved()
	r.set([]resolvedServer{first, global}, nil, map[int32]string{lo: "yes"})
	r.appear()
	w := b.watch(0)
	w.expect("10.0.0.9:53", "tls://[10.0.0.1%lo]:853")
	r.mu.Lock()
	delete(r.links, lo)
	r.mu.Unlock()
	r.tell()
	w.expect("10.0.0.9:53")
	w.never("[10.0.0.1%lo]:53")
	if n := w.complaints(""); n != 0 {
		t.Errorf("problems: %q", w.problems)
	}
}

func TestResolvedServers(t *testing.T) {
	var m resolvedManager
	err := m.take(map[string]dbus.Variant{
		"DNSEx": dbus.MakeVariant([]resolvedServer{
			{Link: 2, Family: 2, Address: []byte{10, 0, 0, 53}},
			{Link: 3, Family: 2, Address: []byte{10, 8, 0, 53}, Name: "dns.example"},
			{Link: 3, Family: 2, Address: []byte{10, 8, 0, 54}, Port: 8853},
			{Link: 4, Family: 2, Address: []byte{10, 9, 0, 53}, Port: 5353, Name: "dns.example"},
			{Link: 9, Family: 10, Address: net.ParseIP("fe80::1")},
			{Link: 2, Family: 1, Address: []byte{1}},
			{Link: 8, Family: 2, Address: []byte{10, 7, 0, 53}},
			{Family: 10, Address: net.ParseIP("2001:db8::1"), Name: "global.example"},
		}),
		"DNSOverTLS": dbus.MakeVariant("yes"),
		"Domains":    dbus.MakeVariant([]resolvedDomain{{2, "lan", false}, {3, "corp.example", true}, {3, ".", true}, {0, "global.example", false}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	servers, skipped := m.servers(map[int32]string{0: m.overTLS, 2: "no", 3: "yes", 4: "opportunistic", 9: "no"}, someLinks)
	expect(t, "servers", written(servers),
		"tls://[2001:db8::1]%global.example:853 global.example.",
		"[10.0.0.53%eth0]:53 lan.",
		"tls://[10.8.0.53%tun0]%dns.example:853 corp.example. .",
		"tls://[10.8.0.54%tun0]:8853 corp.example. .",
		"[10.9.0.53%eth0.100]:5353",
		"[fe80::1%9]:53")
	expect(t, "left out", whatAndWhy(skipped), "a server of interface eth0: not an IP address", "a server of interface 8: its interface is missing")
	if err := m.take(map[string]dbus.Variant{"DNSEx": dbus.MakeVariant("x")}); err == nil {
		t.Error("no error for properties of other types")
	}
	for _, missing := range []string{"", "DNSEx", "Domains", "DNSOverTLS"} {
		all := map[string]dbus.Variant{"DNSEx": dbus.MakeVariant([]resolvedServer{}), "Domains": dbus.MakeVariant([]resolvedDomain{}), "DNSOverTLS": dbus.MakeVariant("no")}
		delete(all, missing)
		if err := m.take(all); (err == nil) != (missing == "") {
			t.Errorf("without property %q: %v", missing, err)
		}
	}
}

func TestManaged(t *testing.T) {
	servers, skipped := managed([]map[string]dbus.Variant{
		connected("tun0", []string{"~corp.example", "lan"}, "10.8.0.53", "10.8.0.54#dns.example", "2001:db8::53", "fe80::1%eth0"),
		connected("eth0", nil, "dns+tls://192.0.2.1#dns.example", "dns+tls://[2001:db8::1]:8853", "dns+udp://192.0.2.2:5353", "dns+udp://[fe80::1%25eth0]", "dns+tls://192.0.2.3", "x", "dns+tls://x", "sdns://x", ""),
		{"nameservers": dbus.MakeVariant([]string{"192.0.2.9"})}, // of all connections
		{"interface": dbus.MakeVariant("eth0")},
		{"nameservers": dbus.MakeVariant(7)},
	})
	expect(t, "servers", written(servers),
		"[10.8.0.53%tun0]:53 corp.example. lan.",
		"[10.8.0.54%tun0]:53 corp.example. lan.",
		"[2001:db8::53%tun0]:53 corp.example. lan.",
		"[fe80::1%eth0]:53 corp.example. lan.",
		"tls://[192.0.2.1%eth0]%dns.example:853",
		"tls://[2001:db8::1%eth0]:8853",
		"[192.0.2.2%eth0]:5353",
		"[fe80::1%eth0]:53",
		"tls://[192.0.2.3%eth0]:853",
		"192.0.2.9:53")
	for i, s := range servers {
		if s.VPN != (i < 9) {
			t.Errorf("%s is of a VPN: %v", s, s.VPN)
		}
	}
	expect(t, "left out", whatAndWhy(skipped), `"x": not a valid address`, `"dns+tls://x": not a valid address`, `"sdns://x": not a valid address`, `"": not a valid address`)
}

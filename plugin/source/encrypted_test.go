package source

import (
	"slices"
	"strings"
	"testing"
)

// named is a source of the system, or one of the user's, that names these.
func named(t *testing.T, system bool, lines ...string) *entry {
	return &entry{source: &told{servers: parsed(t, lines...)}, system: system}
}

// What the system asks encrypted is not asked in plain text because another part of the
// system knows its address only.
func TestPlainTwins(t *testing.T) {
	t.Parallel()
	for what, tc := range map[string]struct{ one, other, want []string }{
		"the same server":            {[]string{"tls://[192.0.2.1%a]"}, []string{"192.0.2.1%a"}, []string{"tls://[192.0.2.1%a]:853"}},
		"plain is named first":       {[]string{"192.0.2.9", "192.0.2.1%a"}, []string{"tls://[192.0.2.1%a]"}, []string{"192.0.2.9:53", "tls://[192.0.2.1%a]:853"}},
		"its name":                   {[]string{"tls://[192.0.2.1%a]%x.example"}, []string{"192.0.2.1%a"}, []string{"tls://[192.0.2.1%a]%x.example:853"}},
		"over HTTPS":                 {[]string{"https://[192.0.2.1%a]/x"}, []string{"192.0.2.1%a"}, []string{"https://[192.0.2.1%a]:443/x"}},
		"over QUIC":                  {[]string{"quic://192.0.2.1"}, []string{"192.0.2.1"}, []string{"quic://192.0.2.1:853"}},
		"IPv6":                       {[]string{"tls://[fe80::1%a]"}, []string{"fe80::1%a"}, []string{"tls://[fe80::1%a]:853"}},
		"any port":                   {[]string{"tls://[192.0.2.1%a]:8853"}, []string{"[192.0.2.1%a]:5353"}, []string{"tls://[192.0.2.1%a]:8853"}},
		"without an interface":       {[]string{"tls://[192.0.2.1%a]"}, []string{"192.0.2.1"}, []string{"tls://[192.0.2.1%a]:853"}},
		"of no interface, both":      {[]string{"tls://192.0.2.1"}, []string{"192.0.2.1"}, []string{"tls://192.0.2.1:853"}},
		"another interface":          {[]string{"tls://[192.0.2.1%a]"}, []string{"192.0.2.1%b"}, []string{"tls://[192.0.2.1%a]:853", "[192.0.2.1%b]:53"}},
		"an interface, TLS has none": {[]string{"tls://192.0.2.1"}, []string{"192.0.2.1%a"}, []string{"tls://192.0.2.1:853", "[192.0.2.1%a]:53"}},
		"another address":            {[]string{"tls://[192.0.2.1%a]"}, []string{"192.0.2.2%a"}, []string{"tls://[192.0.2.1%a]:853", "[192.0.2.2%a]:53"}},
		"one source names both":      {[]string{"tls://[192.0.2.1%a]", "192.0.2.1%a"}, nil, []string{"tls://[192.0.2.1%a]:853", "[192.0.2.1%a]:53"}},
		"two in TLS":                 {[]string{"tls://[192.0.2.1%a]%x.example", "tls://[192.0.2.1%a]"}, []string{"192.0.2.1%a"}, []string{"tls://[192.0.2.1%a]%x.example:853", "tls://[192.0.2.1%a]:853"}},
		"the domains of both":        {[]string{"tls://[192.0.2.1%a] x."}, []string{"192.0.2.1%a y."}, []string{"tls://[192.0.2.1%a]:853 x. y."}},
		"not without an interface":   {[]string{"tls://[192.0.2.1%a] x."}, []string{"192.0.2.1 y."}, []string{"tls://[192.0.2.1%a]:853 x."}},
	} {
		list := &List{links: true, entries: []*entry{named(t, true, tc.one...), named(t, true, tc.other...)}}
		r := list.Read()
		expect(t, what, written(list.Servers()), tc.want...)
		if slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "plain text") }) {
			t.Errorf("%s: warnings are %q", what, r.Warnings)
		}
	}
}

// What the user names in plain text is asked so, with a warning; and what the user names
// encrypted says nothing about the system's.
func TestPlainByUser(t *testing.T) {
	t.Parallel()
	const warning = "is asked in plain text"
	resolved, manager := named(t, true, "tls://[192.0.2.1%a]"), named(t, true, "192.0.2.1%a")
	user := named(t, false, "192.0.2.1%a")
	list := &List{links: true, entries: []*entry{user, resolved, manager}}
	list.AddServer(parsed(t, "192.0.2.1")[0])
	warnings := func(r Report) (n int) {
		for _, w := range r.Warnings {
			if strings.Contains(w, warning) {
				n++
			}
		}
		return n
	}
	r := list.Read()
	expect(t, "servers", written(list.Servers()), "[192.0.2.1%a]:53", "tls://[192.0.2.1%a]:853")
	if warnings(r) != 1 || !slices.Contains(r.Warnings, "upstream [192.0.2.1%a]:53 in told is asked in plain text, while told has it as tls://[192.0.2.1%a]:853; remove it to have it asked encrypted only") {
		t.Errorf("warnings are %q", r.Warnings)
	}
	if n := warnings(list.Read()); n != 0 {
		t.Errorf("%d warnings of what was said", n)
	}
	user.source.(*told).servers = nil
	if n := warnings(list.Read()); n != 1 {
		t.Errorf("%d warnings when the one without interface is asked", n)
	}
	expect(t, "servers", written(list.Servers()), "tls://[192.0.2.1%a]:853", "192.0.2.1:53")
	user.source.(*told).servers = parsed(t, "192.0.2.1%a")
	if n := warnings(list.Read()); n != 1 {
		t.Errorf("%d warnings when it is back", n)
	}

	list = &List{links: true, entries: []*entry{named(t, false, "tls://[192.0.2.1%a]"), named(t, true, "192.0.2.1%a")}}
	if n := warnings(list.Read()); n != 0 {
		t.Errorf("%d warnings of what the user wants encrypted", n)
	}
	expect(t, "servers", written(list.Servers()), "tls://[192.0.2.1%a]:853", "[192.0.2.1%a]:53")
}

// What was encrypted stays so while its source is away, and when it has just come back and
// does not know that yet.
func TestPlainTwinsStay(t *testing.T) {
	t.Parallel()
	resolved, manager := &told{servers: parsed(t, "tls://[192.0.2.1%a]")}, named(t, true, "192.0.2.1%a")
	list := &List{links: true, entries: []*entry{{source: resolved, system: true}, manager}}
	list.Read()
	list.entries[0].source = away{}
	list.Read()
	expect(t, "servers while it is away", written(list.Servers()), "tls://[192.0.2.1%a]:853")
	resolved.servers = parsed(t, "192.0.2.1%a")
	list.entries[0].source = justStarted{resolved}
	list.Read()
	expect(t, "servers when it has just come", written(list.Servers()), "tls://[192.0.2.1%a]:853")
	list.entries[0].source = resolved
	list.Read()
	expect(t, "servers when it knows", written(list.Servers()), "[192.0.2.1%a]:53")
}

type away struct{}

func (away) String() string         { return "told" }
func (away) Read() (Reading, error) { return Reading{}, absent{errLate} }

func TestPlainTwinsInventory(t *testing.T) {
	t.Parallel()
	list := &List{links: true, entries: []*entry{named(t, true, "192.0.2.1%a"), named(t, true, "tls://[192.0.2.1%a]"), named(t, false, "192.0.2.1%a")}}
	list.Read()
	var got []string
	for _, s := range list.Inventory() {
		for _, n := range s.Named {
			got = append(got, n.What+" "+n.Skipped)
		}
	}
	expect(t, "inventory", got, "[192.0.2.1%a]:53 named encrypted elsewhere", "tls://[192.0.2.1%a]:853 ", "[192.0.2.1%a]:53 ")
}

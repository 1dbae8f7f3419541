package pool

import (
	"slices"
	"testing"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

func TestDomainsFind(t *testing.T) {
	d := byDomain([][]string{{"corp.example.", "Example."}, nil, {"corp.example", "."}, {"a\\.b.example.", "bad..name"}})
	for name, want := range map[string][]int{
		"corp.example.":           {0, 2},
		"CORP.Example.":           {0, 2},
		"www.corp.example.":       {0, 2},
		"a.b.c.corp.example.":     {0, 2},
		"mycorp.example.":         {0},
		"example.":                {0},
		"corp.example.test.":      {2},
		".":                       {2},
		"a\\.b.example.":          {3},
		"x.a\\.b.example.":        {3},
		"a.b.example.":            {0},
		"\\004corp.example.test.": {2},
	} {
		if got, ok := d.find(wire.Question(pack(t, name, dns.TypeA))); !ok || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	delete(d, "\x00")
	if got, ok := d.find(wire.Question(pack(t, "other.test.", dns.TypeA))); ok {
		t.Errorf("a name in no domain: got %v", got)
	}
	if got, ok := d.find(nil); ok {
		t.Errorf("no question: got %v", got)
	}
}

package option

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/race"
)

// Each row is complete, and no two have the same name.
func TestTable(t *testing.T) {
	flags := make(map[string]bool)
	for i, o := range Table {
		if found, ok := Find(o.Name); !ok || found.Usage() != o.Usage() || slices.IndexFunc(Table, func(p Option) bool { return p.Name == o.Name }) != i {
			t.Errorf("%s is found as %s, %v", o.Name, found.Usage(), ok)
		}
		if o.Flag == "" {
			continue
		}
		if flags[o.Flag] || o.About == "" {
			t.Errorf("flag %s is there twice, or not described", o.Flag)
		}
		flags[o.Flag] = true
		if args := map[bool]int{true: 0, false: 1}[o.Args == ""]; !o.takes(args) {
			t.Errorf("flag %s does not take %d arguments", o.Flag, args)
		}
	}
	if o, ok := Find("no_such"); ok {
		t.Errorf("found %v", o)
	}
	if names := Names(); len(names) != len(Table) || !slices.IsSorted(names) {
		t.Errorf("names are %v", names)
	}
}

func TestDefault(t *testing.T) {
	want := Values{
		Rules:         race.Rules{Timeout: 4 * time.Second},
		Patience:      2 * time.Second,
		NegativeTTL:   5 * time.Second,
		MaxConcurrent: 10000,
	}
	if got := Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTakes(t *testing.T) {
	for _, tc := range []struct {
		args        string
		least, most int // 4 is many
	}{
		{"", 0, 0},
		{"N", 1, 1},
		{"a|b", 1, 1},
		{"ZONE...", 1, 4},
		{"[CERT KEY] [CA]", 0, 3},
		{"a|b [DURATION]", 1, 2},
	} {
		for n := range 5 {
			if got := (Option{Args: tc.args}).takes(n); got != (n >= tc.least && n <= tc.most) {
				t.Errorf("%q takes %d: %v", tc.args, n, got)
			}
		}
	}
}

// An argument that is wrong is an error, and changes nothing.
func TestArgErrors(t *testing.T) {
	for _, tc := range []struct{ name, arg, want, remedy string }{
		{"prefer", "any", "'any' is unknown", "write order or private"},
		{"private_from", "a b", "'a b' is no upstream", "write private, vpn, an address or range of addresses such as 10.1.0.0/16, a host name, or an upstream as it is written elsewhere"},
		{"bogus", "x", "'x' is not an address range such as 192.0.2.0/24, 192.0.2.1 or 2001:db8::/32", "write an address range such as 192.0.2.0/24, 192.0.2.1 or 2001:db8::/32"},
		{"timeout", "4", "'4' is not a duration such as 4s or 500ms", "write a duration such as 4s or 500ms"},
		{"patience", "9ms", "'9ms' is not between 10ms and 1m0s", ""},
		{"negative_ttl", "25h", "'25h' is not between 0s and 24h0m0s", ""},
		{"negative_ttl", "500ms", "'500ms' is not in whole seconds, as a TTL is; take 0s or 1s", ""},
		{"negative_ttl", "59.5s", "'59.5s' is not in whole seconds, as a TTL is; take 59s or 1m0s", ""},
		{"negative_ttl", "1ns", "'1ns' is not in whole seconds, as a TTL is; take 0s or 1s", ""},
		{"max_concurrent", "-1", "'-1' is not a number of queries, or 0 for no limit", ""},
	} {
		o, _ := Find(tc.name)
		v := Default()
		err := o.Set(&v, []string{tc.arg}, Reader{})
		var bad *ArgError
		if !errors.As(err, &bad) || err.Error() != tc.want || bad.Remedy != tc.remedy {
			t.Errorf("%s %s: %v, %+v", tc.name, tc.arg, err, bad)
		}
		if !reflect.DeepEqual(v, Default()) {
			t.Errorf("%s %s: values became %+v", tc.name, tc.arg, v)
		}
	}
}

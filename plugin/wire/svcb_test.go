package wire

import (
	"fmt"
	"slices"
	"testing"

	"github.com/miekg/dns"
)

// The hints of records that the DNS library packs are found, and so are those that it would
// not: hostile data is read as far as it goes.
func TestHints(t *testing.T) {
	param := func(key byte, value ...byte) []byte { return append([]byte{0, key, 0, byte(len(value))}, value...) }
	v4, v6 := []byte{10, 0, 0, 1}, []byte{0: 0xfd, 15: 1}
	target := []byte{0, 1, 3, 's', 'v', 'c', 0}
	for what, tc := range map[string]struct {
		data []byte
		want [][]byte
	}{
		"none":                       {target, nil},
		"one of each":                {slices.Concat(target, param(4, v4...), param(6, v6...)), [][]byte{v4, v6}},
		"several":                    {slices.Concat(target, param(1, 2, 'h', '2'), param(4, slices.Concat(v4, v4)...)), [][]byte{v4, v4}},
		"in the wrong order":         {slices.Concat(target, param(6, v6...), param(4, v4...)), [][]byte{v6, v4}},
		"behind a compressed target": {slices.Concat([]byte{0, 1, 0xc0, 12}, param(4, v4...)), [][]byte{v4}},
		"an alias":                   {slices.Concat([]byte{0, 0, 0}, param(4, v4...)), [][]byte{v4}},
		"of a wrong length":          {slices.Concat(target, param(4, append(v4, 1)...), param(6, v6...)), [][]byte{v4, v6}},
		"cut short":                  {slices.Concat(target, param(4, slices.Concat(v4, v4)...))[:len(target)+4+6], [][]byte{v4}},
		"of another key":             {slices.Concat(target, param(5, v4...), param(7, v6...)), nil},
		"nothing":                    {nil, nil},
		"no target":                  {[]byte{0, 1, 63, 'x'}, nil},
	} {
		var got [][]byte
		Hints(tc.data, func(addr []byte) { got = append(got, addr) })
		if fmt.Sprint(got) != fmt.Sprint(tc.want) {
			t.Errorf("%s: %v, want %v", what, got, tc.want)
		}
	}
	r, err := dns.NewRR("host.example. 60 IN HTTPS 1 svc.example. alpn=h3 ipv4hint=10.0.0.1 ipv6hint=fd00::1")
	if err != nil {
		t.Fatal(err)
	}
	Records(pack(t, &dns.Msg{Answer: []dns.RR{r}}), func(r Record) bool {
		n := 0
		Hints(r.Data, func(addr []byte) { n += len(addr) })
		if n != 20 {
			t.Errorf("%d bytes of addresses in % x", n, r.Data)
		}
		return true
	})
	if n := testing.AllocsPerRun(100, func() { Hints(target, func([]byte) {}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

package main

import (
	"slices"
	"strings"
	"testing"
)

func TestReached(t *testing.T) {
	const messages = `{"config": {"scan_level": "symbol"}}
{"osv": {"id": "GO-1", "summary": "not found here"}}
{"finding": {"osv": "GO-1", "fixed_version": "v1.2.0", "trace": [{"module": "m.example/a", "version": "v1.1.0"}]}}
{"finding": {"osv": "GO-1", "fixed_version": "v1.2.0", "trace": [{"module": "m.example/a", "version": "v1.1.0", "package": "m.example/a/p"}]}}
{"finding": {"osv": "GO-2", "fixed_version": "v2.0.1", "trace": [{"module": "m.example/b", "version": "v2.0.0", "package": "m.example/b", "function": "F"}, {"module": "ours", "function": "main"}]}}
{"finding": {"osv": "GO-2", "fixed_version": "v2.0.1", "trace": [{"module": "m.example/b", "version": "v2.0.0", "package": "m.example/b", "function": "G"}]}}
{"finding": {"osv": "GO-3", "trace": [{"module": "m.example/b", "version": "v2.0.0", "package": "m.example/b", "function": "F"}]}}
{"finding": {"osv": "GO-4", "fixed_version": "v1.26.9", "trace": [{"module": "stdlib", "version": "v1.26.8", "package": "net", "function": "Dial"}]}}
`
	modules, library, err := reached(strings.NewReader(messages))
	if want := []string{"GO-2 in m.example/b v2.0.0, fixed in v2.0.1", "GO-3 in m.example/b v2.0.0"}; err != nil || !slices.Equal(modules, want) {
		t.Errorf("modules: %q, %v, want %q", modules, err, want)
	}
	if want := []string{"GO-4 in stdlib v1.26.8, fixed in v1.26.9"}; !slices.Equal(library, want) {
		t.Errorf("library: %q, want %q", library, want)
	}
	for _, test := range []struct {
		modules, library []string
		strict, fails    bool
	}{
		{modules, library, false, true}, {modules, library, true, true}, {nil, library, true, true}, {nil, library, false, false},
		{nil, nil, true, false}, {modules, nil, false, true},
	} {
		if err := verdict(test.modules, test.library, test.strict); (err != nil) != test.fails {
			t.Errorf("%+v: %v", test, err)
		}
	}
	if _, _, err := reached(strings.NewReader(messages + "govulncheck: it broke")); err == nil {
		t.Error("what is not understood is taken for nothing")
	}
}

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
	found, err := reached(strings.NewReader(messages))
	if want := []string{
		"GO-2 in m.example/b v2.0.0, fixed in v2.0.1", "GO-3 in m.example/b v2.0.0", "GO-4 in stdlib v1.26.8, fixed in v1.26.9",
	}; err != nil || !slices.Equal(found, want) {
		t.Errorf("%q, %v, want %q", found, err, want)
	}
	if _, err := reached(strings.NewReader(messages + "govulncheck: it broke")); err == nil {
		t.Error("what is not understood is taken for nothing")
	}
}

//go:build linux

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// Each module of the command has licences that are known, and its notices are given.
func TestCommand(t *testing.T) {
	modules, err := modulesIn([]string{testkit.Binary(t)})
	if err != nil {
		t.Fatal(err)
	}
	licenses := make(map[string]string)
	for i := range modules {
		if err := modules[i].read(); err != nil {
			t.Error(err)
		}
		licenses[modules[i].path] = strings.Join(modules[i].licenses, ", ")
	}
	for path, want := range map[string]string{
		"std":                          "BSD-3-Clause",
		"github.com/coredns/coredns":   "Apache-2.0",
		"github.com/miekg/dns":         "BSD-3-Clause",
		"github.com/quic-go/quic-go":   "MIT",
		"github.com/godbus/dbus/v5":    "BSD-2-Clause",
		"golang.org/x/net":             "BSD-3-Clause",
		"go.yaml.in/yaml/v2":           "Apache-2.0, MIT",
		"github.com/zeebo/blake3":      "CC0-1.0",
		"github.com/prometheus/procfs": "Apache-2.0",
		"github.com/gdamore/tcell/v3":  "Apache-2.0",
	} {
		if licenses[path] != want {
			t.Errorf("%s is under %q, want %q", path, licenses[path], want)
		}
	}
	text := notices(modules)
	for _, want := range []string{
		"    github.com/coredns/coredns v", "TERMS AND CONDITIONS FOR USE, REPRODUCTION", "Extensions copyright (c) 2011, Miek Gieben",
		"\nstd go1.", "Additional IP Rights Grant (Patents)", "Prometheus instrumentation library for Go applications",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the notices lack %q", want)
		}
	}
}

// A module without a licence, or with one that nobody has looked at, is an error.
func TestUnknown(t *testing.T) {
	dir := t.TempDir()
	write := func(name, body string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string) {
		t.Helper()
		m := module{path: "m.example", version: "v1.0.0", dir: dir}
		err := m.read()
		got := strings.Join(m.licenses, ", ")
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	write("notice.txt", "ours")
	write("license.go", "package m")
	expect("has no licence")
	write("Copying", "Permission to use, copy, modify, and/or distribute this\nsoftware for any purpose")
	expect("ISC")
	write("logo/LICENSE", "The logo is ours.") // is in no program
	write("testdata/LICENSE", "Others'.")
	expect("ISC")
	write("other/UNLICENSE.md", "Do what you like.")
	write("other/other.go", "package other")
	expect("other/UNLICENSE.md is of no licence")
	write("other/UNLICENSE.md", "Mozilla Public License, version 2.0")
	expect("ISC, MPL-2.0")
}

func TestBill(t *testing.T) {
	const bill = `{"specVersion": "1.6", "version": 1, "metadata": {"tools": [{"name": "t", "hashes": [1]}], "component": {"name": "ours"}},
		"components": [{"name": "m.example", "version": "v1"}]}`
	text, err := named([]byte(bill), []module{{path: "m.example", licenses: []string{"Apache-2.0", "MIT"}}, {path: "std"}})
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	const want = `{"components":[{"licenses":[{"license":{"id":"Apache-2.0"}},{"license":{"id":"MIT"}}],"name":"m.example","version":"v1"}],` +
		`"metadata":{"component":{"licenses":[{"license":{"id":"AGPL-3.0-only"}}],"name":"ours"},"tools":[{"name":"t"}]},"specVersion":"1.6","version":1}`
	if flat, _ := json.Marshal(got); string(flat) != want {
		t.Errorf("%s, want\n%s", flat, want)
	}
	for _, bad := range []string{`{`, strings.Replace(bill, "m.example", "n.example", 1)} {
		if text, err := named([]byte(bad), []module{{path: "m.example", licenses: []string{"MIT"}}}); err == nil {
			t.Errorf("%s gives %s", bad, text)
		}
	}
}

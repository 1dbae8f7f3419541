package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTake(t *testing.T) {
	for _, test := range []struct {
		words, flags string
		show         bool
		want         string // in the error; empty: none
	}{
		{"", "", false, ""},
		{"", "conf quiet p", false, ""},
		{"5553", "quiet pidfile", false, ""},
		{"5553 192.0.2.1", "corefile", true, ""},
		{"", "corefile", true, "-corefile"},
		{"5553", "conf", false, "-conf"},
		{"192.0.2.1", "p", false, "-p"},
		{"192.0.2.1", "dns.port", false, "-dns.port"},
		{"192.0.2.1", "", false, "where to listen"},
		{"load.go", "", false, "to run it as a Corefile write -conf"},
	} {
		l := new(loader)
		err := l.take(strings.Fields(test.words), strings.Fields(test.flags), test.show)
		if test.want == "" && (err != nil || (l.builtIn != "") != (test.words != "")) || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: %q, %v", test, l.builtIn, err)
		}
	}
}

// Nothing that lacks a server block is served: CoreDNS would answer all names.
func TestNothingToServe(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{"empty": "", "comment": "# nothing\n", "blank": " \n\t\n", "snippet": "(a) {\n errors\n}\n", "block": ".:53 {\n}\n", "broken": ". {\n", "bare": "dnsmus 192.0.2.1\n"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(conf, want string) {
		t.Helper()
		l := &loader{name: "dnsmus", conf: conf}
		in, err := l.Load("dns")
		if want == "" && (err != nil || in.Path() == "" || len(in.Body()) == 0) || want != "" && (err == nil || in != nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, %v; want an error with %q", conf, in, err, want)
		}
	}
	for _, conf := range []string{"empty", "comment", "blank", "snippet"} {
		expect(conf, conf+" has no server block")
	}
	expect("bare", "bare: 'dnsmus' stands outside of a server block")
	expect("", "there is no Corefile here")
	expect("missing", "missing")
	expect("a\x1b[2J", "a?[2J") // it is not shown as it is
	expect(filepath.Join(".", "block"), "")
	expect("broken", "broken:1 - Syntax error")
	if err := os.Rename("empty", "Corefile"); err != nil {
		t.Fatal(err)
	}
	expect("", "Corefile has no server block")
}

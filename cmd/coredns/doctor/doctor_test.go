package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

func TestMain(m *testing.M) { testkit.MainNoLeaks(m) }

// tree is a machine with these files, by path. Text that begins with "-> " is where a symbolic link
// leads.
func tree(t *testing.T, files map[string]string) *machine {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, is := strings.CutPrefix(text, "-> "); is {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	m := newMachine(root, "/home/me")
	m.absent = client.ErrNoneFound
	m.output = func(context.Context, string, ...string) (string, error) { return "", errors.New("not in this test") }
	return m
}

// served is a machine with a running server that has this state and answers these paths, each with
// objects, one a line.
func (m *machine) served(t *testing.T, state api.State, replies map[string][]any) *machine {
	t.Helper()
	path := testkit.Socket(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := json.NewEncoder(w)
		if r.URL.Path == api.Status {
			e.Encode(state)
			return
		}
		all, ok := replies[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			e.Encode(api.Error{Error: "there is no " + r.URL.Path + " here"})
			return
		}
		for _, one := range all {
			e.Encode(one)
		}
	}))
	s, err := client.Find(t.Context(), path, "")
	if err != nil {
		t.Fatal(err)
	}
	m.server, m.state, m.absent = s, &state, nil
	return m
}

// listening is the state of a server that listens there.
func listening(addrs ...string) api.State {
	return api.State{PID: 812, Servers: []api.Server{{Server: addrs[0], Listens: addrs}}}
}

// scenario is a world for one check, and what the check must say of it.
type scenario struct {
	name string
	m    *machine
	want []string // what each problem has in it, between " | " in several places
}

// diagnose holds a check to scenarios.
func diagnose(t *testing.T, look func(context.Context, *machine) (found, error), all []scenario) {
	t.Helper()
	for _, s := range all {
		f, err := look(t.Context(), s.m)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if len(f.problems) != len(s.want) {
			t.Errorf("%s: there are %d problems, want %d: %+v", s.name, len(f.problems), len(s.want), f.problems)
			continue
		}
		for i, p := range f.problems {
			text := strings.Join(append([]string{p.What, p.Mend}, p.Evidence...), "\n")
			for part := range strings.SplitSeq(s.want[i], " | ") {
				if !strings.Contains(text, part) {
					t.Errorf("%s: %q is not in\n%s", s.name, part, text)
				}
			}
			if p.What == "" || p.Mend == "" || strings.Contains(text, s.m.root) {
				t.Errorf("%s: %+v", s.name, p)
			}
		}
	}
}

var (
	fine = check{"fine", "what is", func(context.Context, *machine) (found, error) {
		return found{seen: []string{"all is well at git.corp.example"}}, nil
	}}
	bad = check{"bad", "what is not", func(context.Context, *machine) (f found, err error) {
		f.add("The file /home/me/x says https://dns.example/secret-token.", "rm /home/me/x", "wiki.corp.example. is in corp.example.", "10.0.0.53 and tls://10.1.0.53%ab12cd.dns.example:853")
		return f, nil
	}}
	blind = check{"blind", "what cannot be seen", func(context.Context, *machine) (found, error) {
		return found{}, errors.New("permission denied")
	}}
)

func TestRun(t *testing.T) {
	for _, tc := range []struct {
		checks []check
		args   string
		status int
		out    string
	}{
		{[]check{fine}, "", 0, "1 check, 0 problems\n"},
		{[]check{fine, blind}, "", 2, "? blind: could not look: permission denied\n2 checks, 0 problems, 1 could not look\n"},
		{[]check{blind, fine, bad}, "", 1, "! The file /home/me/x says https://dns.example/secret-token.\n" +
			"    wiki.corp.example. is in corp.example.\n    10.0.0.53 and tls://10.1.0.53%ab12cd.dns.example:853\n  mend: rm /home/me/x\n\n" +
			"? blind: could not look: permission denied\n3 checks, 1 problem, 1 could not look\n"},
		{[]check{fine, bad, blind}, "report", 1, "fine: what is\n  all is well at *.corp.example\nbad: what is not\n" +
			"  ! The file ~/x says https://dns.example/*\n      *.corp.example. is in corp.example.\n      10.0.0.53 and tls://10.1.0.53%*.dns.example:853\n    mend: rm ~/x\n" +
			"blind: what cannot be seen\n? blind: could not look: permission denied\n\n3 checks, 1 problem, 1 could not look\n"},
	} {
		var out, problems bytes.Buffer
		c := client.NewCommand("dnsmus", Name, show.Screen{Writer: &out}, &problems)
		status := run(t.Context(), c, tree(t, nil), tc.checks, tc.args == "report")
		if status != tc.status || out.String() != tc.out || problems.Len() > 0 {
			t.Errorf("%d checks %s: status %d\n%s%s", len(tc.checks), tc.args, status, &out, &problems)
		}
	}
}

// A report says which server was asked; what is printed for people does not.
func TestServer(t *testing.T) {
	for _, report := range []bool{false, true} {
		var out bytes.Buffer
		state := listening("127.0.0.123:53")
		state.Version, state.Servers[0].Server = "0.9", "127.0.0.123:53/git.corp.example."
		run(t.Context(), client.NewCommand("dnsmus", Name, show.Screen{Writer: &out}, &out), tree(t, nil).served(t, state, nil), []check{fine}, report)
		if strings.HasPrefix(out.String(), "Asked: the server on 127.0.0.123:53/*.corp.example., process 812. It is dnsmus 0.9;") != report {
			t.Errorf("report %v: %s", report, &out)
		}
	}
}

func TestJSON(t *testing.T) {
	for _, report := range []bool{false, true} {
		var out bytes.Buffer
		c := client.NewCommand("dnsmus", Name, show.Screen{Writer: &out}, &out)
		c.JSON = true
		status := run(t.Context(), c, tree(t, nil), []check{fine, bad, blind}, report)
		var r result
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if status != 1 || r.Problems != 1 || r.Unlooked != 1 || len(r.Checks) != 3 || r.Checks[0].Problems == nil || r.Checks[0].CouldNotLook != nil || *r.Checks[2].CouldNotLook != "permission denied" {
			t.Errorf("status %d: %s", status, &out)
		}
		if masked := !strings.Contains(out.String(), "secret-token") && !strings.Contains(out.String(), "wiki"); masked != report {
			t.Errorf("report %v: %s", report, &out)
		}
	}
}

// What is wrong with the command line is said before anything is looked at.
func TestCommandLine(t *testing.T) {
	var out, problems bytes.Buffer
	status := Run(t.Context(), client.NewCommand("dnsmus", Name, show.Screen{Writer: &out}, &problems), []string{"now"})
	if status != client.ExitUsage || !strings.Contains(problems.String(), `unexpected argument "now"`) || out.Len() > 0 {
		t.Errorf("status %d: %s%s", status, &out, &problems)
	}
}

func TestMasked(t *testing.T) {
	for text, want := range map[string]string{
		"git.corp.example. is denied":                          "*.corp.example. is denied",
		"corp.example and example.":                            "corp.example and example.",
		"(git.corp.example)":                                   "(*.corp.example)",
		"a.b.corp.example,c.corp.example":                      "*.b.corp.example,*.corp.example",
		"192.168.1.1 [2001:db8::1]:53 10.0.0.53%tun0":          "192.168.1.1 [2001:db8::1]:53 10.0.0.53%tun0",
		"/etc/resolv.conf.dnsmus and /run/a.b.c":               "/etc/resolv.conf.dnsmus and /run/a.b.c",
		"https://ab12.dns.example/dns-query?token=1 x":         "https://*.dns.example/* x",
		"tls://ab12.dns.example:853":                           "tls://*.dns.example:853",
		"https://dns.example/#b3ec":                            "https://dns.example/*",
		"/home/me/.mozilla and /home/you/x, C:\\Users\\you\\x": "~/.mozilla and /home/*/x, C:\\Users\\*\\x",
		"network.trr.mode is 2":                                "network.trr.mode is 2",
		"[::1]:53/a.corp.example and eth0/b.corp.example":      "[::1]:53/*.corp.example and eth0/*.corp.example",
		`a\032b.corp.example. x`:                               `*.corp.example. x`,
		"my-laptop asks":                                       "* asks",
		"_ldap._tcp.corp.example":                              "*._tcp.corp.example",
		"It is dnsmus 0.1.0-devel; 1.2.3, v0.1.1-0.20261201+x": "It is dnsmus 0.1.0-devel; 1.2.3, v0.1.1-0.20261201+x",
		"10.1.0-x.corp.example. 7.7.7.7a.lan":                  "*.1.0-x.corp.example. *.7.7.7a.lan",
	} {
		if got := masked(text, "/home/me", "my-laptop"); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

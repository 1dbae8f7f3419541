//go:build linux

// Package e2e holds the end-to-end tests: they build the command coredns, run it as a
// user would, and ask it with real clients while real servers are its upstreams.
// Each test has network namespaces of its own, so ports are free, nothing leaves the
// machine and the tests do not disturb each other.
package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

const patience = testkit.Patience

func TestMain(m *testing.M) {
	if isPart, err := soakPart(); isPart {
		if err != nil {
			panic(err)
		}
		return
	}
	testkit.Main(m)
}

// lab is where a test runs its programs: a network namespace and a directory
// for their files.
type lab struct {
	*testing.T
	ns    string // empty: not in a namespace of its own
	dir   string
	flags []string // by which go build makes the command under test

	inspected *inspection // nil: replies are not held against what is told of their races
}

// newLab makes a network namespace with loopback up. The test that calls it
// runs in parallel with others, and needs root and the tools.
func newLab(t *testing.T, tools ...string) *lab {
	t.Helper()
	testkit.Need(t, true, append(tools, "ip", "dig")...)
	t.Parallel()
	return addLab(t)
}

func addLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{T: t, dir: t.TempDir()}
	l.ns = testkit.Netns(t)
	return l
}

// in is the lab for a subtest.
func (l *lab) in(t *testing.T) *lab {
	sub := *l
	sub.T = t
	return &sub
}

// command prepares a program in the lab's directory. Started inside, it is in the
// lab's namespace.
func (l *lab) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = l.dir
	return cmd
}

// finish runs a program to its end.
func (l *lab) finish(cmd *exec.Cmd) (err error) {
	l.Helper()
	l.inside(func() { err = cmd.Start() })
	if err != nil {
		return err
	}
	return cmd.Wait()
}

// output runs a program to its end and returns what it printed.
func (l *lab) output(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(l.Context(), patience)
	defer cancel()
	cmd := l.command(ctx, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := l.finish(cmd)
	return out.String(), err
}

// run is output for programs that must succeed.
func (l *lab) run(args ...string) string {
	l.Helper()
	out, err := l.output(args...)
	if err != nil {
		l.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// write makes a file in the lab's directory and returns its path.
func (l *lab) write(name, text string) string {
	l.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		l.Fatal(err)
	}
	return path
}

// process is a server that runs until the end of the test.
type process struct {
	*testkit.Process
	lab   *lab
	begin func() *testkit.Process
}

// start runs a server. What it prints is shown if the test fails.
func (l *lab) start(args ...string) *process {
	l.Helper()
	p := &process{lab: l, begin: func() (p *testkit.Process) {
		l.inside(func() { p = testkit.Start(l.T, l.command(context.Background(), args...)) })
		return p
	}}
	p.Process = p.begin()
	return p
}

// awaits returns p when the question, as given to dig, is answered with NOERROR. A server whose
// port was taken meanwhile, as by another that asks upstreams from it, is started again.
func (p *process) awaits(question string) *process {
	p.lab.Helper()
	p.lab.eventually(func() error {
		select {
		case <-p.Done():
			if !strings.Contains(p.Printed(), "address already in use") {
				p.lab.Fatal(p.State())
			}
			time.Sleep(time.Second)
			p.Process = p.begin()
		default:
		}
		if r := p.lab.ask("+time=1 " + question); r.status != "NOERROR" {
			return fmt.Errorf("%s is not answered\n%s", question, r.text)
		}
		return nil
	})
	return p
}

// eventually polls until check returns nil.
func (l *lab) eventually(check func() error) {
	l.Helper()
	testkit.Eventually(l.T, check)
}

// reply is what dig printed.
type reply struct {
	text     string
	status   string              // empty: no reply
	flags    []string            // such as qr, aa
	options  []string            // the lines about EDNS
	sections map[string][]string // records by section, sorted
}

// dig asks once. The query is written as on dig's command line; an option in it
// overrides the same of those that all queries get.
func (l *lab) dig(query string) reply {
	l.Helper()
	args := append([]string{"dig", "-r", "+tries=1", "+time=30"}, strings.Fields(query)...)
	out, _ := l.output(args...) // it fails when there is no reply
	return parseDig(out)
}

func parseDig(text string) reply {
	r := reply{text: text, sections: make(map[string][]string)}
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if _, rest, ok := strings.Cut(line, ", status: "); ok {
			r.status, _, _ = strings.Cut(rest, ",")
			continue
		}
		if rest, ok := strings.CutPrefix(line, ";; flags: "); ok {
			flags, _, _ := strings.Cut(rest, ";")
			r.flags = strings.Fields(flags)
			continue
		}
		if rest, ok := strings.CutPrefix(line, ";; "); ok {
			section = ""
			if name, ok := strings.CutSuffix(rest, "SECTION:"); ok {
				section = strings.TrimSpace(name)
			}
			continue
		}
		switch {
		case line == "" || section == "":
		case section == "OPT PSEUDO":
			r.options = append(r.options, line)
		default:
			r.sections[section] = append(r.sections[section], line)
		}
	}
	for _, records := range r.sections {
		slices.Sort(records)
	}
	return r
}

// data returns the answers' data without owner, TTL, class and type.
func (r reply) data() []string {
	var data []string
	for _, record := range r.sections["ANSWER"] {
		if fields := strings.Fields(record); len(fields) > 4 {
			data = append(data, strings.Join(fields[4:], " "))
		}
	}
	slices.Sort(data)
	return data
}

// String is the status and the answers' data, in one line.
func (r reply) String() string {
	if r.status == "" {
		return "no reply"
	}
	return strings.Join(append([]string{r.status}, r.data()...), " ")
}

// expect asks, and compares the reply's String with want.
func (l *lab) expect(query, want string) {
	l.Helper()
	if got := l.ask(query); got.String() != want {
		l.Errorf("dig %s: %s, want %s\n%s", query, got, want, got.text)
	}
}

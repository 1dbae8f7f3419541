//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// TestMain lets the test binary be the processes that a bench starts.
func TestMain(m *testing.M) {
	if hidden, err := runSelf(os.Args[1:]); hidden {
		exitOn(err)
		return
	}
	testkit.Main(m)
}

// newBench is a bench of the command that all tests use. What it measures is for who
// changes the project, so the tests of that are not among the quick ones.
func newBench(t *testing.T) *bench {
	t.Helper()
	testkit.Long(t)
	return &bench{ctx: t.Context(), dir: t.TempDir(), coredns: testkit.Binary(t)}
}

func TestSmoke(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	err := b.with([]string{"nxdomain", "servfail", "good,delay=5ms"}, []entry{{engine: "dnsmus", n: 3}}, func(servers []*server) error {
		s := servers[0]
		stop := s.watch()
		defer stop()
		for _, l := range []load{flatOut(500 * time.Millisecond), onSchedule(500, 700*time.Millisecond)} {
			r, err := b.measure(s, l)
			if err != nil {
				return err
			}
			if r.Answered == 0 || r.Answered+r.Lost != r.Sent || r.Kinds["good"] != r.Answered || r.Strange != 0 {
				t.Errorf("%+v", r.tally)
			}
			if r.P50 < 5*time.Millisecond || r.P50 > r.P99 || r.P99 > r.Max || r.cpu <= 0 {
				t.Errorf("%+v, processor time %v", r.tally, r.cpu)
			}
			if l.Rate > 0 && r.Sent != 350 {
				t.Errorf("sent %d queries instead of 350", r.Sent)
			}
		}
		if s.countFDs() == 0 || s.countGoroutines() == 0 || s.peakRSS() < 1<<20 {
			t.Errorf("%d fds, %g goroutines, %d bytes", s.countFDs(), s.countGoroutines(), s.peakRSS())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Many clients with connections of their own get their own answers.
func TestCrowd(t *testing.T) {
	b := newBench(t)
	if err := writeCert(b.dir); err != nil {
		t.Fatal(err)
	}
	secret := "tls " + filepath.Join(b.dir, certFile) + " " + filepath.Join(b.dir, keyFile) + "\n"
	entries := []entry{{engine: "dnsmus", n: 1}, {engine: "dnsmus", n: 1, above: secret, scheme: "tls://"}}
	err := b.with([]string{"good"}, entries, func(servers []*server) error {
		for i, overs := range [][]string{{"udp", "tcp"}, {"tls"}} {
			for _, over := range overs {
				for _, ahead := range []int{1, 8} {
					if over == "udp" && ahead > 1 {
						continue
					}
					r, err := b.measure(servers[i], load{For: 300 * time.Millisecond, Timeout: 10 * time.Second, Clients: 200, Over: over, Ahead: ahead})
					if err != nil {
						return err
					}
					if r.Answered == 0 || r.Answered != r.Sent || r.Kinds["good"] != r.Answered || r.Strange != 0 || r.P50 > r.Max {
						t.Errorf("over %s, %d under way: %+v", over, ahead, r.tally)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFakes checks each kind of fake, and what the client makes of it.
func TestFakes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		spec string
		kind string
	}{
		{"good", "good"},
		{"good,delay=2ms", "good"},
		{"nodata", "nodata"},
		{"nxdomain", "nxdomain"},
		{"servfail", "servfail"},
		{"refused", "refused"},
		{"hole", ""},
		{"good,loss=1", ""},
	} {
		t.Run(tc.spec, func(t *testing.T) {
			f, err := startFakes(t.Context(), tc.spec)
			if err != nil {
				t.Fatal(err)
			}
			defer f.stop()
			b := &bench{ctx: t.Context(), fakes: f}
			// A fake is a server too.
			s := &server{name: tc.spec, addr: f.addrs[0], cmd: f.cmd}
			timeout := testkit.Patience
			if tc.kind == "" { // nothing comes
				timeout = 200 * time.Millisecond
			}
			r, err := b.measure(s, load{Rate: 1000, For: 50 * time.Millisecond, Timeout: timeout})
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]int{}
			if tc.kind != "" {
				want[tc.kind] = 50
			}
			if fmt.Sprint(r.Kinds) != fmt.Sprint(want) || r.Answered+r.Lost != 50 || r.Strange != 0 {
				t.Errorf("%+v", r.tally)
			}
		})
	}
}

// TestEncryptedFakes asks each of them through both servers.
func TestEncryptedFakes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := writeCert(b.dir); err != nil {
		t.Fatal(err)
	}
	for _, transport := range transports {
		spec := fmt.Sprintf("nxdomain,over=%s,certs=%s", transport, b.dir)
		err := b.with([]string{spec}, []entry{{engine: "forward", n: 1}, {engine: "dnsmus", n: 1}}, func(servers []*server) error {
			for _, s := range servers {
				r, err := b.measure(s, onSchedule(500, 200*time.Millisecond))
				if err != nil {
					return err
				}
				if r.Kinds["nxdomain"] != 100 || r.Sent != 100 || r.Strange != 0 {
					t.Errorf("%s over %s: %+v", s.name, transport, r.tally)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestParseFake(t *testing.T) {
	f, err := parseFake("nxdomain,delay=20ms,loss=0.3,notcp")
	if want := (fake{kind: nxdomain, delay: 20 * time.Millisecond, loss: 0.3, noTCP: true}); f != want || err != nil {
		t.Errorf("%+v, %v", f, err)
	}
	for _, spec := range []string{"", "other", "good,delay", "good,loss=x", "good,udp", "good,over=sctp", "good,over=tls,loss=0.1"} {
		if _, err := parseFake(spec); err == nil {
			t.Errorf("%q is taken", spec)
		}
	}
}

func TestSeries(t *testing.T) {
	s := series{3, 1, 2}
	if got := s.text(1); got != "2.0 (1.0-3.0)" {
		t.Error(got)
	}
	if got := s.over(series{3, 2, 2}).text(2); got != "1.00 (0.50-1.00)" {
		t.Error(got)
	}
	if got := slope(map[int]float64{1: 10, 3: 14, 5: 18}); got != 2 {
		t.Error(got)
	}
	if got := quantile([]time.Duration{1, 2, 3, 4, 5}, 0.5); got != 3 {
		t.Error(got)
	}
}

func TestTable(t *testing.T) {
	table := table{title: "Title", head: []string{"server", "x"}}
	table.add("dnsmus 3", 1)
	want := "## Title\n\n| server   | x   |\n| -------- | --- |\n| dnsmus 3 | 1   |\n"
	if got := table.String(); got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestPlots(t *testing.T) {
	bars := barChart{title: "a < b", mark: 1}
	bars.add("x", 0.5)
	lines := lineChart{title: "lines", xs: []int{1, 2}}
	lines.add("y", []float64{0.5, 20})
	for _, svg := range []string{bars.svg(), lines.svg()} {
		if !strings.HasPrefix(svg, "<svg ") || !strings.HasSuffix(svg, "</svg>\n") || strings.Contains(svg, "NaN") {
			t.Errorf("got\n%s", svg)
		}
	}
	if !strings.Contains(bars.svg(), "a &lt; b") {
		t.Error("the title is not escaped")
	}
}

// The README has all scenarios, and no others.
func TestScenariosInREADME(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "## Scenarios")
	list, _, _ = strings.Cut(list, "##")
	var got, want []string
	for _, line := range strings.Split(list, "\n")[4:] {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			got = append(got, strings.TrimSpace(cells[1]))
		}
	}
	for _, s := range scenarios {
		want = append(want, s.name)
	}
	if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("README has %v, there are %v", got, want)
	}
}

// Package monitoring_test holds the dashboard, the alerts and the reference's list of
// metrics to what the plugin exports.
package monitoring_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/handler"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const prefix = "coredns_dnsmus_"

// The chart has the files that this is about.
const (
	alerts = "../kubernetes/chart/files/alerts.yaml"
	board  = "../kubernetes/chart/files/dashboard.json"
)

// exported is a metric as a server tells of it: its labels, and the values that
// each had.
type exported struct {
	histogram bool
	labels    map[string]map[string]bool
}

func (e exported) labelNames() []string { return slices.Sorted(maps.Keys(e.labels)) }

// gather returns the metrics of dnsmus that this process has, by name.
func gather(t *testing.T) map[string]exported {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]exported)
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), prefix) {
			continue
		}
		e := exported{f.GetType().String() == "HISTOGRAM", make(map[string]map[string]bool)}
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if e.labels[l.GetName()] == nil {
					e.labels[l.GetName()] = make(map[string]bool)
				}
				e.labels[l.GetName()][l.GetValue()] = true
			}
		}
		all[f.GetName()] = e
	}
	return all
}

// live returns the metrics of a handler to which all has happened that there is a
// metric of.
func live(t *testing.T) map[string]exported {
	t.Helper()
	var lost atomic.Bool
	begun, release := make(chan struct{}, 1), make(chan struct{})
	knows := testkit.Handle(t, func(w dns.ResponseWriter, q *dns.Msg) {
		if q.Question[0].Qtype == dns.TypeAAAA { // as behind some gateways
			return
		}
		m := new(dns.Msg).SetReply(q)
		m.Answer = []dns.RR{&dns.A{
			Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60},
			A:   net.IPv4(192, 0, 2, 1),
		}}
		switch q.Question[0].Name {
		case "lost.example.":
			if !lost.Swap(true) {
				return
			}
		case "forged.example.":
			if w.LocalAddr().Network() == "udp" {
				m.Id++
			}
		case "denied.example.":
			m.SetRcode(q, dns.RcodeNameError)
		case "slow.example.":
			select {
			case begun <- struct{}{}:
			default:
			}
			<-release
		}
		w.WriteMsg(m)
	})
	fails := testkit.Handle(t, func(w dns.ResponseWriter, q *dns.Msg) {
		w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeServerFailure))
	})
	testkit.Logged(t)
	h := handler.New(handler.Config{
		Upstreams: []server.Server{server.Plain(knows), server.Plain(fails)},
		Values: option.Values{
			Rules:         race.Rules{Timeout: 2 * time.Second},
			Patience:      time.Second,
			MaxConcurrent: 1,
			Away:          true, // zones are kept
			Cache:         10_000,
		},
	})
	h.Start()
	t.Cleanup(func() { h.Stop() })

	ctx := context.WithValue(context.Background(), dnsserver.Key{}, &dnsserver.Server{Addr: "dns://:53"})
	ask := func(name string) {
		h.ServeDNS(ctx, new(test.ResponseWriter), new(dns.Msg).SetQuestion(name, dns.TypeA))
	}
	for _, name := range []string{"good.example.", "lost.example.", "forged.example.", "denied.example."} {
		ask(name)
	}
	testkit.Eventually(t, func() error {
		h.ServeDNS(ctx, new(test.ResponseWriter), new(dns.Msg).SetQuestion("good.example.", dns.TypeAAAA))
		if len(gather(t)[prefix+"upstream_type_unresponsive"].labels) == 0 {
			return errors.New("no upstream is known to be unresponsive")
		}
		return nil
	})
	slow := make(chan struct{})
	go func() { defer close(slow); ask("slow.example.") }()
	<-begun
	ask("refused.example.")
	close(release)
	<-slow

	file := filepath.Join(t.TempDir(), "resolv.conf")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	nameserver := fmt.Sprintf("nameserver %s\n", knows)
	write(nameserver)
	list := new(source.List)
	list.Add(source.File(file))
	list.Read()
	h.Follow(list, handler.Listeners{})
	for text, result := range map[string]string{"": "failure", nameserver + nameserver: "success"} {
		write(text)
		testkit.Eventually(t, func() error {
			ask("good.example.") // files are followed from the first query on
			if !gather(t)[prefix+"resolv_conf_reloads_total"].labels["result"][result] {
				return fmt.Errorf("no %s of %q was counted", result, text)
			}
			return nil
		})
	}
	return gather(t)
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// expressions returns all PromQL of the dashboard and of the alerts, with what it
// belongs to.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			all["panel "+p.Title+", "+target.RefID] = target.Expr + " legend " + target.LegendFormat
		}
	}
	for _, v := range readDashboard(t).Templating.List {
		if v.Type == "query" {
			all["variable "+v.Name] = v.Definition
		}
	}
	for _, rule := range strings.Split(read(t, alerts), "- alert: ")[1:] {
		name, text, _ := strings.Cut(rule, "\n")
		all["alert "+name] = text
	}
	return all
}

var (
	metricRE  = regexp.MustCompile(`(` + prefix + `\w+)(?:\{([^}]*)\})?`)
	matcherRE = regexp.MustCompile(`(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	groupRE   = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	legendRE  = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}`)
	labelsRE  = regexp.MustCompile(`label_values\(.*, (\w+)\)`)
)

// Labels that Prometheus adds.
var added = []string{"job", "instance"}

func TestMetrics(t *testing.T) {
	metrics := live(t)
	t.Run("names", func(t *testing.T) { checkNames(t, metrics) })
	t.Run("all are shown", func(t *testing.T) { checkAllAreShown(t, metrics) })
}

// checkNames looks up all metrics, labels and values of labels that the dashboard
// and the alerts name.
func checkNames(t *testing.T, metrics map[string]exported) {
	for where, text := range expressions(t) {
		known := slices.Clone(added) // to all that is said about the result
		found := metricRE.FindAllStringSubmatch(text, -1)
		if len(found) == 0 {
			t.Errorf("%s: no metric", where)
		}
		for _, f := range found {
			m, ok := metrics[f[1]]
			if !ok {
				family := f[1][:strings.LastIndexByte(f[1], '_')] // of _bucket, _sum, _count
				if m = metrics[family]; !m.histogram {
					t.Errorf("%s: there is no metric %s", where, f[1])
					continue
				}
				known = append(known, "le")
			}
			known = append(known, m.labelNames()...)
			for _, match := range matcherRE.FindAllStringSubmatch(f[2], -1) {
				label, op, value := match[1], match[2], match[3]
				if slices.Contains(added, label) {
					continue
				}
				if m.labels[label] == nil {
					t.Errorf("%s: %s has no label %s", where, f[1], label)
				}
				if strings.HasPrefix(value, "$") {
					continue
				}
				values := []string{value}
				if strings.HasSuffix(op, "~") {
					values = strings.Split(value, "|")
				}
				for _, v := range values {
					if !m.labels[label][v] {
						t.Errorf("%s: %s of %s is never %q", where, label, f[1], v)
					}
				}
			}
		}
		var used []string
		for _, g := range groupRE.FindAllStringSubmatch(text, -1) {
			used = append(used, strings.FieldsFunc(g[1], func(r rune) bool { return r == ',' || r == ' ' })...)
		}
		for _, re := range []*regexp.Regexp{legendRE, labelsRE} {
			for _, g := range re.FindAllStringSubmatch(text, -1) {
				used = append(used, g[1])
			}
		}
		for _, label := range used {
			if !slices.Contains(known, label) {
				t.Errorf("%s: none of its metrics has a label %s", where, label)
			}
		}
	}
}

// checkAllAreShown: a metric that is exported is in docs/reference.md, with its labels, and
// on the dashboard; and that has no others.
func checkAllAreShown(t *testing.T, metrics map[string]exported) {
	documented := make(map[string][]string)
	for _, f := range regexp.MustCompile("(?m)^\\* `("+prefix+`\w+)\{([^}]*)\}`+"`").FindAllStringSubmatch(read(t, "../../docs/reference.md"), -1) {
		labels := strings.FieldsFunc(f[2], func(r rune) bool { return r == ',' || r == ' ' })
		slices.Sort(labels)
		documented[f[1]] = labels
	}
	dashboard := read(t, board)
	for name, m := range metrics {
		labels, ok := documented[name]
		switch {
		case !ok:
			t.Errorf("docs/reference.md does not have %s", name)
		case !slices.Equal(labels, m.labelNames()):
			t.Errorf("docs/reference.md: %s has labels %v, and there are %v", name, labels, m.labelNames())
		}
		if !regexp.MustCompile(name + `(_bucket|_count)?\b`).MatchString(dashboard) {
			t.Errorf("%s is not on the dashboard", name)
		}
	}
	for name := range documented {
		if _, ok := metrics[name]; !ok {
			t.Errorf("docs/reference.md: there is no metric %s", name)
		}
	}
}

type dashboard struct {
	Title, UID    string
	SchemaVersion int
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	}
	Panels []struct {
		ID                       int
		Type, Title, Description string
		Datasource               datasource
		GridPos                  struct{ X, Y, W, H int }
		FieldConfig              struct {
			Defaults struct {
				Unit     string
				Mappings []any
			}
		}
		Targets []struct {
			RefID, Expr, LegendFormat string
			Datasource                datasource
		}
	}
}

type datasource struct{ Type, UID string }

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, board)), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	if d.Title == "" || d.UID == "" || d.SchemaVersion == 0 || len(d.Panels) == 0 {
		t.Errorf("no title, uid, schemaVersion or panels: %+v", d)
	}
	defined := map[string]bool{"$__rate_interval": true}
	for _, v := range d.Templating.List {
		defined["$"+v.Name] = true
	}
	for _, name := range []string{"$datasource", "$job", "$instance", "$server"} {
		if !defined[name] {
			t.Errorf("no variable %s", name)
		}
	}
	want := datasource{"prometheus", "${datasource}"}
	ids, titles, cells := make(map[int]bool), make(map[string]bool), make(map[[2]int]string)
	for _, p := range d.Panels {
		if p.ID == 0 || ids[p.ID] || p.Title == "" || titles[p.Title] {
			t.Errorf("panel %d %q: id and title must be there, and be no other panel's", p.ID, p.Title)
		}
		ids[p.ID], titles[p.Title] = true, true
		if p.Description == "" || p.Datasource != want || len(p.Targets) == 0 {
			t.Errorf("panel %q: no description, data source or targets", p.Title)
		}
		if p.FieldConfig.Defaults.Unit == "" && len(p.FieldConfig.Defaults.Mappings) == 0 {
			t.Errorf("panel %q has no unit", p.Title)
		}
		refs := make(map[string]bool)
		for _, target := range p.Targets {
			if target.RefID == "" || refs[target.RefID] || target.Expr == "" || target.LegendFormat == "" || target.Datasource != want {
				t.Errorf("panel %q: bad target %+v", p.Title, target)
			}
			refs[target.RefID] = true
			for _, name := range regexp.MustCompile(`\$\w+`).FindAllString(target.Expr, -1) {
				if !defined[name] {
					t.Errorf("panel %q: no variable %s", p.Title, name)
				}
			}
		}
		at := p.GridPos
		if at.W <= 0 || at.H <= 0 || at.X < 0 || at.X+at.W > 24 {
			t.Errorf("panel %q does not fit into 24 columns: %+v", p.Title, at)
		}
		for x := at.X; x < at.X+at.W; x++ {
			for y := at.Y; y < at.Y+at.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" {
					t.Fatalf("panels %q and %q overlap", other, p.Title)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
	}
}

// Each verdict is in the reference's lists, and one alert watches it: it is a failure, a good
// answer, or a denial, which is watched for being inconclusive. A new one has to find its place.
func TestVerdicts(t *testing.T) {
	text := read(t, alerts)
	outcomes := func(alert string) []string {
		_, rule, _ := strings.Cut(text, "- alert: "+alert+"\n")
		m := regexp.MustCompile(`outcome=~"([^"]*)"`).FindStringSubmatch(rule)
		if m == nil {
			t.Fatalf("%s names no outcome", alert)
		}
		return strings.Split(m[1], "|")
	}
	failures, good := outcomes("DnsmusFailures"), outcomes("DnsmusNoGoodAnswers")
	_, list, _ := strings.Cut(read(t, "../../docs/reference.md"), "* `dnsmus/verdict`:")
	list, _, _ = strings.Cut(list, "\n\n")
	field := regexp.MustCompile(`json:"verdict"` + "`" + `\s+// (.*)`).FindStringSubmatch(read(t, "../../plugin/control/api/outcome.go"))
	if field == nil {
		t.Fatal("the field verdict of JSON is not described")
	}
	for v := race.None; v <= race.Good; v++ {
		name := v.String()
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(field[1]) {
			t.Errorf("the field verdict of JSON is not said to be %s", name)
		}
		if !strings.Contains(list, "`"+name+"`") {
			t.Errorf("docs/reference.md does not list %s with dnsmus/verdict", name)
		}
		watched := map[string]bool{
			"DnsmusFailures":      slices.Contains(failures, name),
			"DnsmusNoGoodAnswers": slices.Contains(good, name),
			"DnsmusInconclusive":  v.Negative() || v.IsBogus(),
		}
		maps.DeleteFunc(watched, func(_ string, is bool) bool { return !is })
		if len(watched) != 1 {
			t.Errorf("%s is watched by %v, want one alert", name, slices.Sorted(maps.Keys(watched)))
		}
	}
}

// TestAlerts has promtool check the rules and run their tests. Each rule is tested
// to fire and not to fire, says what to do, and is in README.md.
func TestAlerts(t *testing.T) {
	rules := regexp.MustCompile(`(?m)- alert: (\w+)\n(?s:(.*?))summary: >-\n`).FindAllStringSubmatch(read(t, alerts), -1)
	if n := strings.Count(read(t, alerts), "- alert: "); n == 0 || len(rules) != n {
		t.Errorf("%d of %d rules have a summary", len(rules), n)
	}
	tests, readme := read(t, "alerts_test.yaml"), read(t, "README.md")
	for _, rule := range rules {
		of := `alertname: ` + rule[1] + `\n\s*eval_time: \w+\n\s*exp_alerts:`
		if !regexp.MustCompile(of+` \[\]`).MatchString(tests) || !regexp.MustCompile(of+`\n\s*- exp_labels`).MatchString(tests) {
			t.Errorf("%s is not tested both to fire and not to fire", rule[1])
		}
		if !strings.Contains(readme, "\n### "+rule[1]+"\n") {
			t.Errorf("README.md has no section %s", rule[1])
		}
		if want := "runbook_url: https://github.com/dnsmus/dnsmus/blob/main/deploy/monitoring/README.md#" + strings.ToLower(rule[1]) + "\n"; !strings.Contains(rule[2], want) {
			t.Errorf("%s lacks %s", rule[1], want)
		}
	}
	testkit.Need(t, false, "promtool")
	for _, args := range [][]string{
		{"check", "rules", "--lint=all", "--lint-fatal", alerts},
		{"test", "rules", "alerts_test.yaml"},
	} {
		if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// prometheus is a Prometheus that scrapes one server.
type prometheus struct {
	loopback
	api string
}

// prometheus runs a Prometheus with the alerts of the chart, which fire at
// once.
func (l loopback) prometheus(metrics string) prometheus {
	l.Helper()
	rules, err := os.ReadFile(filepath.Join(testkit.Root(l.T), "deploy/kubernetes/chart/files/alerts.yaml"))
	if err != nil {
		l.Fatal(err)
	}
	l.write("alerts.yaml", regexp.MustCompile(`(?m)^ +for: .*\n`).ReplaceAllString(string(rules), ""))
	config := l.write("prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [alerts.yaml]
scrape_configs:
  - job_name: dnsmus
    static_configs: [{targets: ["127.0.0.1:%s"]}]
`, metrics))
	port := l.freePort()
	p := l.start("prometheus", "--config.file="+config, "--storage.tsdb.path="+l.TempDir(),
		"--web.listen-address=127.0.0.1:"+port, "--log.level=warn")
	api := "http://127.0.0.1:" + port
	l.eventually(func() error {
		select {
		case <-p.Done():
			l.Fatal("prometheus has ended")
		default:
		}
		if status, body := l.get(api + "/-/ready"); status != http.StatusOK {
			return fmt.Errorf("prometheus is not ready: %d %s", status, body)
		}
		return nil
	})
	return prometheus{l, api + "/api/v1/"}
}

// sample is one series of a query's result.
type sample struct {
	Metric map[string]string
	Value  []any // time and value
}

func (s sample) String() string { return fmt.Sprint(s.Metric, " ", s.Value) }

// read gets an answer of the API into data.
func (p prometheus) read(path string, data any) error {
	p.Helper()
	_, body := p.get(p.api + path)
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return fmt.Errorf("%s: %w: %s", path, err, body)
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", path, answer.Error)
	}
	return json.Unmarshal(answer.Data, data)
}

// query returns the series of an expression at present.
func (p prometheus) query(expr string) ([]sample, error) {
	p.Helper()
	var data struct{ Result []sample }
	err := p.read("query?query="+url.QueryEscape(expr), &data)
	return data.Result, err
}

// becomes waits until the expression has one series with the value, or none where
// the value is empty.
func (p prometheus) becomes(expr, value string) {
	p.Helper()
	p.eventually(func() error {
		series, err := p.query(expr)
		if err != nil {
			return err
		}
		if value == "" && len(series) == 0 || len(series) == 1 && series[0].Value[1] == value {
			return nil
		}
		return fmt.Errorf("%s is %v, want %q", expr, series, value)
	})
}

// firing waits until the alert fires, or does not, with that label.
func (p prometheus) firing(alert, to string, want bool) {
	p.Helper()
	p.eventually(func() error {
		var data struct {
			Alerts []struct {
				Labels map[string]string
				State  string
			}
		}
		if err := p.read("alerts", &data); err != nil {
			return err
		}
		fires := false
		for _, a := range data.Alerts {
			if a.Labels["alertname"] == alert && a.Labels["to"] == to && a.State == "firing" {
				fires = true
			}
		}
		if fires != want {
			return fmt.Errorf("%s of %s fires: %v; alerts are %v", alert, to, fires, data.Alerts)
		}
		return nil
	})
}

// TestPrometheus has a real Prometheus look on while upstreams win, fall silent,
// refuse and are dropped.
func TestPrometheus(t *testing.T) {
	testkit.Need(t, false, "prometheus", "promtool", "dnsmasq")
	l := newLoopback(t)
	known := l.fake(answers)
	p, db := l.resolver("db.example", "10.3.0.30")
	conf := l.write("resolv.conf.dnsmus", nameservers(known, db))
	port, metrics, _ := l.server(`dnsmus resolv.conf.dnsmus {
		patience 4s
		timeout 12s
		max_concurrent 1000
	}`)
	prom := l.prometheus(metrics)
	server := "127.0.0.1:" + port
	to := func(name, addr string) string { return fmt.Sprintf("coredns_dnsmus_%s{to=%q}", name, addr) }
	prom.becomes(to("upstream_up", db), "1")

	asked := 0
	asks := func(n int, want string) {
		t.Helper()
		for range n {
			asked++
			name := map[bool]string{true: "load%d.example.", false: "nobody%d.example."}[want == "NOERROR"]
			if got := ask(server, fmt.Sprintf(name, asked), patience); got != want {
				t.Errorf("query %d: %s, want %s", asked, got, want)
			}
		}
	}
	asks(7, "NOERROR")
	asks(3, "NXDOMAIN")
	for range 2 {
		l.expect("@127.0.0.1 -p "+port+" db.example", "NOERROR 10.3.0.30")
	}
	for outcome, n := range map[string]string{"good": "9", "nxdomain": "3", "servfail": "0", "none": "0"} {
		prom.becomes(fmt.Sprintf(`coredns_dnsmus_races_total{outcome=%q, server="dns://127.0.0.1:%s"}`, outcome, port), n)
	}
	prom.becomes("coredns_dnsmus_race_duration_seconds_count", "12")
	prom.becomes(to("wins_total", known), "10") // denials too: it comes first
	prom.becomes(to("wins_total", db), "2")
	prom.becomes("coredns_dnsmus_inconclusive_total", "0")
	prom.becomes(fmt.Sprintf(`coredns_dnsmus_upstream_request_duration_seconds_count{to=%q, rcode="NXDOMAIN"}`, known), "11") // and A and AAAA of what nobody knows

	p.Signal(syscall.SIGSTOP)
	asks(1, "NXDOMAIN")
	prom.becomes(to("upstream_up", db), "0")
	prom.becomes(to("upstream_up", known), "1")
	prom.becomes("coredns_dnsmus_inconclusive_total", "1")
	prom.firing("DnsmusUpstreamDown", db, true)
	prom.firing("DnsmusUpstreamDown", known, false)
	p.Signal(syscall.SIGCONT)
	prom.becomes(to("upstream_up", db), "1") // without a client's help
	prom.firing("DnsmusUpstreamDown", db, false)

	// Panels show something, and rules are evaluated without an error.
	third, refuses := l.fake(func(query *dns.Msg) *dns.Msg {
		q := query.Question[0]
		if q.Qtype == dns.TypeAAAA || dns.IsSubDomain("dropped.example.", q.Name) { // it is unresponsive for these
			return nil
		}
		return denies(query)
	}), "127.0.0.1:"+l.freePort()
	for text, result := range map[string]string{"": "failure", nameservers(known, db, third, refuses): "success"} {
		if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		prom.becomes(fmt.Sprintf(`coredns_dnsmus_resolv_conf_reloads_total{result=%q}`, result), "1")
	}
	prom.becomes(to("upstream_up", third), "1")
	type with struct { // options that have metrics of their own
		of   *regexp.Regexp
		port string
		prometheus
	}
	var others []with
	for options, of := range map[string]string{
		"learn\n prefer order\n away": "_(queries_saved|hedges|hedges_won|zones_known|away|conflicts)(_total)?[{]",
		"cache":                       "_cache_[a-z_]+[{]",
	} {
		port, metrics, _ := l.server("dnsmus " + known + " " + db + " {\n" + options + "\n}")
		others = append(others, with{regexp.MustCompile(of), port, l.prometheus(metrics)})
	}
	for n, expr := range dashboardQueries(t) {
		if at := slices.IndexFunc(others, func(w with) bool { return w.of.MatchString(expr) }); at >= 0 {
			l.eventually(func() error {
				l.ask("@127.0.0.1 -p " + others[at].port + " db.example")
				series, err := others[at].query(expr)
				if err == nil && len(series) == 0 {
					err = fmt.Errorf("query %d of the dashboard shows nothing: %s", n, expr)
				}
				return err
			})
			continue
		}
		l.eventually(func() error {
			asks(1, "NXDOMAIN")
			if strings.Contains(expr, "upstream_type_unresponsive") {
				l.ask("@127.0.0.1 -p " + port + " nobody.example AAAA")
			}
			if strings.Contains(expr, "upstream_zones_unresponsive") {
				for _, label := range []string{"a", "b", "c"} {
					ask(server, label+".dropped.example.", patience)
				}
			}
			series, err := prom.query(expr)
			if err == nil && len(series) == 0 {
				err = fmt.Errorf("query %d of the dashboard shows nothing: %s", n, expr)
			}
			return err
		})
	}
	l.eventually(func() error { // so many queries that who does not reply stands out
		asks(50, "NXDOMAIN")
		expr := fmt.Sprintf("rate(coredns_dnsmus_upstream_request_duration_seconds_count{to=%q}[10m]) > 0", third)
		if series, err := prom.query(expr); err != nil || len(series) == 0 {
			return fmt.Errorf("%s: %v %v", expr, series, err)
		}
		return nil
	})
	prom.becomes(to("upstream_up", refuses), "0") // its port is closed
	prom.firing("DnsmusUpstreamDown", refuses, true)
	prom.firing("DnsmusUpstreamDown", third, false)
	var rules struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	if err := prom.read("rules", &rules); err != nil {
		t.Fatal(err)
	}
	if len(rules.Groups) != 1 || len(rules.Groups[0].Rules) == 0 {
		t.Fatalf("no rules: %v", rules)
	}
	for _, r := range rules.Groups[0].Rules {
		if r.Health != "ok" {
			t.Errorf("rule %s: %s %s", r.Name, r.Health, r.LastError)
		}
	}

	l.checkMetrics(metrics)

	// An upstream that is dropped is gone from the page, and from the graphs.
	l.write("resolv.conf.dnsmus", nameservers(known, third))
	l.eventually(func() error {
		if _, page := l.get("http://127.0.0.1:" + metrics + "/metrics"); strings.Contains(page, db) {
			return fmt.Errorf("%s was dropped, and is still on the page", db)
		}
		return nil
	})
	prom.becomes(fmt.Sprintf(`{to=%q}`, db), "")
	asks(2, "NXDOMAIN")
	prom.becomes(to("upstream_up", known), "1")
}

// dashboardQueries returns all queries of the dashboard, with its variables set.
func dashboardQueries(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testkit.Root(t), "deploy/kubernetes/chart/files/dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	set := strings.NewReplacer("$job", "dnsmus", "$instance", ".+", "$server", ".+", "$__rate_interval", "1m")
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all = append(all, set.Replace(target.Expr))
		}
	}
	if len(all) == 0 {
		t.Fatal("the dashboard has no queries")
	}
	return all
}

// checkMetrics has promtool look at what the page has of dnsmus.
func (l loopback) checkMetrics(metrics string) {
	l.Helper()
	_, page := l.get("http://127.0.0.1:" + metrics + "/metrics")
	var own strings.Builder
	for line := range strings.Lines(page) {
		if strings.Contains(strings.SplitN(line, "{", 2)[0], "coredns_dnsmus_") {
			own.WriteString(line)
		}
	}
	if own.Len() == 0 {
		l.Fatalf("no metrics of dnsmus:\n%s", page)
	}
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(own.String())
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		l.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// inOrder returns three upstreams: one that denies all names, one that answers when
// the first one's denial has come in, and one that is silent. The function says
// before a query where to look for that denial, and which it is.
func (l loopback) inOrder() (upstreams []string, next func(metrics string, n int)) {
	l.Helper()
	var came atomic.Value // of func() bool
	deny := l.fake(denies)
	knows := l.fake(func(query *dns.Msg) *dns.Msg {
		for end := time.Now().Add(patience); !came.Load().(func() bool)() && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		return answers(query)
	})
	next = func(metrics string, n int) {
		came.Store(func() bool {
			_, page := l.get("http://127.0.0.1:" + metrics + "/metrics")
			return strings.Contains(page, fmt.Sprintf("_request_duration_seconds_count{rcode=\"NXDOMAIN\",to=%q} %d\n", deny, n))
		})
	}
	return []string{deny, knows, l.fake(is("silent"))}, next
}

//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// get returns what a server on loopback says, as its status and body; or 0 and an
// error.
func (l loopback) get(url string) (status int, body string) {
	l.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	r, err := c.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, err.Error()
	}
	return r.StatusCode, string(text)
}

// resolver is a dnsmasq on loopback that knows one name and denies all others.
func (l loopback) resolver(name, addr string) (p *process, at string) {
	l.Helper()
	port := l.freePort()
	p = l.dnsmasq("127.0.0.1", port, "--host-record="+name+","+addr, "--address=/#/")
	return p.awaits("@127.0.0.1 -p " + port + " " + name), "127.0.0.1:" + port
}

// prometheus is a Prometheus that scrapes one server.
type prometheus struct {
	loopback
	api string
}

// prometheus runs a Prometheus with the alerts of deploy/monitoring, which fire at
// once.
func (l loopback) prometheus(metrics string) prometheus {
	l.Helper()
	rules, err := os.ReadFile(filepath.Join(root(l.T), "deploy/monitoring/alerts.yaml"))
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
	p := l.start("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(l.dir, "data"),
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
		patience 1s
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
	prom.becomes(fmt.Sprintf(`coredns_dnsmus_upstream_request_duration_seconds_count{to=%q, rcode="NXDOMAIN"}`, known), "5")

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
	third, refuses := l.fake(denies), "127.0.0.1:"+l.freePort()
	for text, result := range map[string]string{"": "failure", nameservers(known, db, third, refuses): "success"} {
		if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		prom.becomes(fmt.Sprintf(`coredns_dnsmus_resolv_conf_reloads_total{result=%q}`, result), "1")
	}
	prom.becomes(to("upstream_up", third), "1")
	for n, expr := range dashboardQueries(t) {
		l.eventually(func() error {
			asks(1, "NXDOMAIN")
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
	prom.firing("DnsmusUpstreamFails", refuses, true)
	prom.firing("DnsmusUpstreamFails", third, false)
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
	text, err := os.ReadFile(filepath.Join(root(t), "deploy/monitoring/dashboard.json"))
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

var buildTapReader = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(testkit.Dir, "dnstap")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/dnstap/golang-dnstap/dnstap").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, nil
})

// tapped is a message as the dnstap reader prints it.
type tapped struct {
	Type            string
	QueryTime       time.Time `json:"query_time"`
	ResponseTime    time.Time `json:"response_time"`
	SocketProtocol  string    `json:"socket_protocol"`
	ResponseAddress string    `json:"response_address"`
	ResponsePort    int       `json:"response_port"`
	QueryMessage    string    `json:"query_message"`
	ResponseMessage string    `json:"response_message"`
}

// TestDnstap reads what the dnstap plugin sends with the reader of the dnstap
// project: the query of each leg, and the reply of those that replied before the
// race was over.
func TestDnstap(t *testing.T) {
	l := newLoopback(t)
	reader, err := buildTapReader()
	if err != nil {
		t.Fatal(err)
	}
	to, denied := l.inOrder()
	socket := filepath.Join(l.dir, "tap")
	file := l.write("tap.json", "")
	l.start(reader, "-u", socket, "-j", "-a", "-w", file)
	l.eventually(func() error { _, err := os.Stat(socket); return err })
	port, metrics, _ := l.server(fmt.Sprintf("dnstap %s full\ndnsmus %s {\ntimeout 1m\n}", socket, strings.Join(to, " ")))
	deny, knows, silent := to[0], to[1], to[2]

	messages := func() (list []tapped) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var m struct{ Message tapped }
			if json.Unmarshal([]byte(line), &m) == nil { // else it is being written
				list = append(list, m.Message)
			}
		}
		return list
	}
	for i, transport := range []string{"udp", "tcp"} {
		name := fmt.Sprintf("load%d.example.", i+1)
		query := new(dns.Msg).SetQuestion(name, dns.TypeA)
		denied(metrics, i+1)
		c := dns.Client{Net: transport, Timeout: patience}
		r, _, err := c.Exchange(query, "127.0.0.1:"+port)
		if err != nil || len(r.Answer) != 1 {
			t.Fatalf("%s: %v %v", transport, err, r)
		}
		want := []string{
			"FORWARDER_QUERY " + deny, "FORWARDER_QUERY " + knows, "FORWARDER_QUERY " + silent,
			"FORWARDER_RESPONSE " + deny + " NXDOMAIN", "FORWARDER_RESPONSE " + knows + " NOERROR",
		}
		slices.Sort(want)
		l.eventually(func() error {
			var got []string
			clients := 0
			for _, m := range messages() {
				if !strings.Contains(m.QueryMessage+m.ResponseMessage, name) {
					continue
				}
				if strings.HasPrefix(m.Type, "CLIENT_") {
					clients++
					continue
				}
				word := fmt.Sprintf("%s %s", m.Type, net.JoinHostPort(m.ResponseAddress, strconv.Itoa(m.ResponsePort)))
				text := m.QueryMessage
				if m.Type == "FORWARDER_RESPONSE" {
					text = m.ResponseMessage
					word += " " + parseDig(text).status
					if m.ResponseTime.Before(m.QueryTime) {
						t.Errorf("replied at %v, asked at %v", m.ResponseTime, m.QueryTime)
					}
				}
				got = append(got, word)
				if !strings.Contains(text, fmt.Sprintf("id: %d\n", query.Id)) || !strings.Contains(text, ";"+name+"\tIN\t") {
					t.Errorf("%s is not of the client's query %d: %s", word, query.Id, text)
				}
				if m.SocketProtocol != strings.ToUpper(transport) || m.QueryTime.IsZero() {
					t.Errorf("%s: protocol %s, time %v", word, m.SocketProtocol, m.QueryTime)
				}
				if strings.HasSuffix(word, "NOERROR") && !strings.Contains(text, r.Answer[0].String()) {
					t.Errorf("the answer %v is not in %s", r.Answer[0], text)
				}
			}
			slices.Sort(got)
			if clients == 2 && slices.Equal(got, want) {
				return nil
			}
			return fmt.Errorf("%s: messages are %q and %d of the client, want %q and 2", transport, got, clients, want)
		})
	}
}

// TestLogFormat logs in the format that the README has for it.
func TestLogFormat(t *testing.T) {
	l := newLoopback(t)
	readme, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^ *log \. .*\{/dnsmus/upstream\}.*\{/dnsmus/verdict\}.*$`).FindString(string(readme))
	if line == "" {
		t.Fatal("README.md has no such line")
	}
	first, second := l.fake(answers), l.fake(is("known"))
	port, _, p := l.server(fmt.Sprintf("metadata\n%s\ndnsmus %s %s", line, first, second))
	silent, _, none := l.server(fmt.Sprintf("metadata\n%s\ndnsmus %s {\ntimeout 100ms\n}", line, l.fake(is("silent"))))
	ask("127.0.0.1:"+port, "load1.example.", patience)
	ask("127.0.0.1:"+port, "known.example.", patience)
	ask("127.0.0.1:"+port, "nobody.example.", patience)
	ask("127.0.0.1:"+silent, "silent.example.", patience)
	for _, want := range []struct {
		p    *process
		line string
	}{
		{p, `127.0.0.1 TXT load1.example. NOERROR [0-9.e-]+s by ` + first + `: good`},
		{p, `127.0.0.1 TXT known.example. NOERROR [0-9.e-]+s by ` + second + `: good`},
		{p, `127.0.0.1 TXT nobody.example. NXDOMAIN [0-9.e-]+s by ` + first + `: nxdomain`},
		{none, `127.0.0.1 TXT silent.example. SERVFAIL [0-9.e-]+s by -: none`},
	} {
		l.eventually(func() error {
			if n := len(regexp.MustCompile(`(?m)^\[INFO\] `+want.line+`$`).FindAllString(want.p.Printed(), -1)); n != 1 {
				return fmt.Errorf("%d lines of %s", n, want.line)
			}
			return nil
		})
	}
}

// TestStateInLog: an upstream that falls silent and comes back says so once each,
// however many queries there are; and so does a list that changes.
func TestStateInLog(t *testing.T) {
	testkit.Need(t, false, "dnsmasq")
	l := newLoopback(t)
	known := l.fake(answers)
	r, db := l.resolver("db.example", "10.3.0.30")
	l.resolvConf(known, db)
	port, metrics, p := l.server("dnsmus resolv.conf.dnsmus {\npatience 1s\n}")
	server := "127.0.0.1:" + port
	const times = 3
	for i := range times {
		r.Signal(syscall.SIGSTOP)
		var all sync.WaitGroup
		for j := range 20 {
			all.Go(func() { ask(server, fmt.Sprintf("away%d-%d.example.", i, j), patience) })
		}
		all.Wait()
		p.printsTimes(i+1, "Upstream "+db+" is down")
		r.Signal(syscall.SIGCONT)
		p.printsTimes(i+1, "Upstream "+db+" is up again")
		for j := range 20 {
			ask(server, fmt.Sprintf("back%d-%d.example.", i, j), patience)
		}
	}
	third := l.fake(denies)
	l.resolvConf(known, third)
	p.prints("Upstreams are")
	l.becomes("@127.0.0.1 -p "+port+" db.example", "NXDOMAIN")
	for text, want := range map[string]int{
		"Upstream " + db + " is down":     times,
		"Upstream " + db + " is up again": times,
		"Upstream " + known:               0,
		"Upstreams are " + known + ", " + third + " now; added: " + third + "; removed: " + db: 1,
		"Upstreams are": 1,
	} {
		if n := strings.Count(p.Printed(), text); n != want {
			t.Errorf("%q is in the log %d times, want %d", text, n, want)
		}
	}
	if n := metric(t, metrics, `coredns_dnsmus_resolv_conf_reloads_total{result="success"}`); n != 1 {
		t.Errorf("%v reloads", n)
	}
}

// TestFlappingLog: an upstream that comes and goes all the time fills no disk.
func TestFlappingLog(t *testing.T) {
	const flaps = 30
	l := newLoopback(t)
	var away atomic.Bool
	flapping := l.fake(func(query *dns.Msg) *dns.Msg {
		if away.Load() {
			return nil
		}
		return denies(query)
	})
	port, metrics, p := l.server(fmt.Sprintf("dnsmus %s %s {\npatience 10ms\n}", l.fake(denies), flapping))
	begun := time.Now()
	for i := range flaps {
		for _, up := range []float64{0, 1} {
			away.Store(up == 0)
			l.eventually(func() error {
				ask("127.0.0.1:"+port, fmt.Sprintf("flap%d.example.", i), patience)
				if got := metric(t, metrics, fmt.Sprintf("coredns_dnsmus_upstream_up{to=%q}", flapping)); got != up {
					return fmt.Errorf("upstream_up is %v, want %v", got, up)
				}
				return nil
			})
		}
	}
	// Ten at once, and one each half minute.
	n, most := strings.Count(p.Printed(), "Upstream "+flapping), 10+int(time.Since(begun)/(30*time.Second))
	if n == 0 || n > most {
		t.Errorf("%d lines about an upstream that flapped %d times, want 1 to %d", n, flaps, most)
	}
}

// span is a span as Zipkin's API takes it.
type span struct {
	TraceID, ID, ParentID, Name, Kind string
	Tags                              map[string]string
}

// TestTraceZipkin collects the spans of a query as Zipkin would: each leg has one
// below that of dnsmus, which is below that of the request.
func TestTraceZipkin(t *testing.T) {
	l := newLoopback(t)
	var mu sync.Mutex
	spans := make(map[string]span)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var batch []span
		if err := json.NewDecoder(r.Body).Decode(&batch); err != nil || r.URL.Path != "/api/v2/spans" {
			t.Errorf("%s: %v", r.URL, err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, s := range batch {
			spans[s.ID] = s
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	l.Cleanup(collector.Close)
	to, denied := l.inOrder()
	port, metrics, _ := l.server(fmt.Sprintf("trace zipkin %s\ndnsmus %s {\ntimeout 1m\n}", collector.Listener.Addr(), strings.Join(to, " ")))
	want := []string{to[0] + " NXDOMAIN", to[1] + " NOERROR", to[2] + " none before the race was over"}
	slices.Sort(want)
	for i := range 2 {
		name := fmt.Sprintf("load%d.example.", i)
		denied(metrics, i+1)
		if got := ask("127.0.0.1:"+port, name, patience); got != "NOERROR" {
			t.Fatal(got)
		}
		l.eventually(func() error {
			mu.Lock()
			defer mu.Unlock()
			var request span
			for _, s := range spans {
				if s.Name == "servedns" && s.Tags["coredns.io/name"] == name {
					request = s
				}
			}
			var got []string
			for _, s := range spans {
				plugin := spans[s.ParentID]
				if s.Name != "exchange" || s.TraceID != request.TraceID {
					continue
				}
				if s.Kind != "CLIENT" || plugin.Name != "dnsmus" || plugin.ParentID == "" || !below(spans, plugin, request) {
					t.Errorf("span %v has the parent %v and the request is %v", s, plugin, request)
				}
				got = append(got, s.Tags["peer.address"]+" "+s.Tags["dns.rcode"])
			}
			slices.Sort(got)
			if request.ID == "" || !slices.Equal(got, want) {
				return fmt.Errorf("request %v has exchanges %q, want %q", request, got, want)
			}
			return nil
		})
	}
}

// below reports whether s descends from ancestor.
func below(spans map[string]span, s, ancestor span) bool {
	for s.ParentID != "" && s.ID != ancestor.ID {
		s = spans[s.ParentID]
	}
	return s.ID == ancestor.ID
}

// TestReady asks the endpoint of the ready plugin.
func TestReady(t *testing.T) {
	l := newLoopback(t)
	ready := l.freePort()
	l.server(fmt.Sprintf("ready 127.0.0.1:%s\ndnsmus %s", ready, l.fake(answers)))
	l.eventually(func() error {
		if status, body := l.get("http://127.0.0.1:" + ready + "/ready"); status != http.StatusOK || body != "OK" {
			return fmt.Errorf("%d %q", status, body)
		}
		return nil
	})
}

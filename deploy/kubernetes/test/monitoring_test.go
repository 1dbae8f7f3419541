//go:build linux

package kubernetes

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

func TestDashboard(t *testing.T) {
	all := render(t, "dashboard.enabled=true")
	want, err := os.ReadFile(chart + "/files/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	board := get[*corev1.ConfigMap](t, all, "ConfigMap/dnsmus-dashboard")
	if got := board.Data["dnsmus.json"]; got != string(want) || board.Labels["grafana_dashboard"] != "1" {
		t.Errorf("labels are %v, the dashboard\n%s", board.Labels, got)
	}
}

// TestRules wants the alerts to come out as they are written, and promtool to take them
// and find their tests true.
func TestRules(t *testing.T) {
	testkit.Need(t, false, "promtool")
	spec := get[*monitoringv1.PrometheusRule](t, render(t, "prometheus.rules.enabled=true"), "PrometheusRule/dnsmus").Spec
	dir := t.TempDir()
	write(t, filepath.Join(dir, "alerts.yaml"), text(t, spec))
	run(t, "promtool", "check", "rules", filepath.Join(dir, "alerts.yaml"))
	tests, err := os.ReadFile(checkout + "/deploy/monitoring/alerts_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "alerts_test.yaml"), strings.Replace(string(tests), "[../kubernetes/chart/files/alerts.yaml]", "[alerts.yaml]", 1))
	run(t, "promtool", "test", "rules", filepath.Join(dir, "alerts_test.yaml"))

	source, err := os.ReadFile(chart + "/files/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var want monitoringv1.PrometheusRuleSpec
	if err := yaml.UnmarshalStrict(source, &want); err != nil {
		t.Fatal(err)
	}
	if text(t, spec) != text(t, want) {
		t.Errorf("the rules are\n%s\nwant\n%s", text(t, spec), text(t, want))
	}

	some := get[*monitoringv1.PrometheusRule](t, render(t, "testdata/all.yaml"), "PrometheusRule/dnsmus").Spec
	want.Groups[0].Rules = slices.DeleteFunc(want.Groups[0].Rules, func(r monitoringv1.Rule) bool {
		return r.Alert == "DnsmusUpstreamDown" || r.Alert == "DnsmusRetransmits"
	})
	if text(t, some) != text(t, want) {
		t.Errorf("without two rules these are left:\n%s", text(t, some))
	}
}

// TestReadmeMonitoring takes the values of the README.
func TestReadmeMonitoring(t *testing.T) {
	file := filepath.Join(t.TempDir(), "values.yaml")
	write(t, file, readme(t, "yaml", "dashboard"))
	all := render(t, file)
	for _, key := range []string{"ServiceMonitor/dnsmus", "PrometheusRule/dnsmus"} {
		if object := all[key]; object == nil || metadata(object).GetLabels()["release"] != "prometheus" {
			t.Errorf("%s is\n%s", key, text(t, object))
		}
	}
	get[*corev1.ConfigMap](t, all, "ConfigMap/dnsmus-dashboard")
}

// TestPodMonitor has Prometheus find the port of a pod that declares none.
func TestPodMonitor(t *testing.T) {
	testkit.Need(t, false, "promtool")
	t.Parallel() // promtool looks for targets for as long as it may
	monitor := get[*monitoringv1.PodMonitor](t, render(t, "prometheus.podMonitor.enabled=true", "ports.metrics=19253"), "PodMonitor/dnsmus")
	endpoint := monitor.Spec.PodMetricsEndpoints[0]
	if endpoint.Port != nil || endpoint.PortNumber != nil {
		t.Errorf("the pod has no port that is named or numbered:\n%s", text(t, endpoint))
	}
	type object = map[string]any
	var targets, rules []object
	for _, ip := range []string{"192.0.2.7", "2001:db8::7"} { // as Prometheus finds containers without ports
		for _, container := range []string{"interface", "dnsmus"} {
			targets = append(targets, object{"targets": []string{ip}, "labels": object{
				"__meta_kubernetes_pod_container_name": container, "__meta_kubernetes_pod_ip": ip,
			}})
		}
	}
	for _, r := range endpoint.RelabelConfigs { // as the operator writes them
		rule := object{"source_labels": r.SourceLabels, "regex": r.Regex}
		if r.Action != "" {
			rule["action"] = r.Action
		}
		if r.TargetLabel != "" {
			rule["target_label"], rule["replacement"] = r.TargetLabel, r.Replacement
		}
		rules = append(rules, rule)
	}
	file := filepath.Join(t.TempDir(), "prometheus.yaml")
	write(t, file, text(t, object{"scrape_configs": []object{{
		"job_name": "dnsmus", "static_configs": targets, "relabel_configs": rules,
	}}}))
	want := []string{"192.0.2.7:19253", "[2001:db8::7]:19253"}
	testkit.Eventually(t, func() error { // on a busy machine the time that it is given may not be enough
		out, err := output(exec.Command("promtool", "check", "service-discovery", "--timeout=2s", file, "dnsmus"))
		if err != nil {
			return err
		}
		var found []struct{ Labels map[string]string }
		if err := json.Unmarshal([]byte(out), &found); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		var scraped []string
		for _, f := range found {
			if address := f.Labels["__address__"]; address != "" {
				scraped = append(scraped, address)
			}
		}
		slices.Sort(scraped)
		if !slices.Equal(scraped, want) {
			return fmt.Errorf("scraped are %q, want %q:\n%s", scraped, want, strings.TrimSpace(out))
		}
		return nil
	})
}

//go:build linux

package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	yamlv3 "go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// value is one that values.yaml describes, by a comment above it. What is below
// it is described with it.
type value struct {
	path     string // as for --set
	about    string
	standard any  // the default
	group    bool // of values with comments of their own
}

// values are those of the chart, in their order.
func values(t *testing.T) []value {
	t.Helper()
	text, err := os.ReadFile(chart + "/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document yamlv3.Node
	if err := yamlv3.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	return described(t, "", document.Content[0])
}

func described(t *testing.T, prefix string, mapping *yamlv3.Node) []value {
	t.Helper()
	var all []value
	for i := 0; i < len(mapping.Content); i += 2 {
		key, content := mapping.Content[i], mapping.Content[i+1]
		v := value{path: prefix + key.Value, about: about(key)}
		if err := content.Decode(&v.standard); err != nil {
			t.Fatal(err)
		}
		for j := 0; content.Kind == yamlv3.MappingNode && j < len(content.Content); j += 2 {
			v.group = v.group || isDescribed(content.Content[j], content.Content[j+1])
		}
		if v.about == "" && !v.group {
			t.Errorf("values.yaml has no comment above %s", v.path)
		}
		all = append(all, v)
		if v.group {
			all = append(all, described(t, v.path+".", content)...)
		}
	}
	return all
}

// isDescribed is whether a key, or one below it, has a comment.
func isDescribed(key, content *yamlv3.Node) bool {
	if about(key) != "" {
		return true
	}
	if content.Kind != yamlv3.MappingNode {
		return false
	}
	for i := 0; i < len(content.Content); i += 2 {
		if isDescribed(content.Content[i], content.Content[i+1]) {
			return true
		}
	}
	return false
}

// about is the comment above a key.
func about(key *yamlv3.Node) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(key.HeadComment, "#", "")), " ")
}

// TestReadme wants the chart's README to have the table of values that follows
// from values.yaml. With UPDATE=1 it writes it.
func TestReadme(t *testing.T) {
	const file, header = chart + "/README.md", "| value | default | what it is |\n|---|---|---|\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(text), header)
	if !found {
		t.Fatalf("README.md has no table of values:\n%s", header)
	}
	want := before + header
	for _, v := range values(t) {
		if !v.group || v.about != "" {
			want += fmt.Sprintf("| `%s` | %s | %s |\n", v.path, v.shown(t), strings.ReplaceAll(v.about, "|", `\|`))
		}
	}
	if string(text) == want {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatalf("the table of values is not what values.yaml says; UPDATE=1 go test -run %s writes it", t.Name())
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// shown is the default in a table, if it is short.
func (v value) shown(t *testing.T) string {
	t.Helper()
	if v.group {
		return ""
	}
	text, err := json.Marshal(v.standard)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 120 {
		return "see [values.yaml](values.yaml)"
	}
	return "`" + string(text) + "`"
}

// schema is a JSON schema, as far as the chart's uses it.
type schema struct {
	Ref                  string `json:"$ref"`
	Type                 any
	Enum                 []any
	Properties           map[string]*schema
	AdditionalProperties any
	Items                *schema
	Definitions          map[string]*schema
}

func readSchema(t *testing.T) *schema {
	t.Helper()
	text, err := os.ReadFile(chart + "/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	top := new(schema)
	if err := json.Unmarshal(text, top); err != nil {
		t.Fatal(err)
	}
	return top
}

// TestSchema wants the schema to have every value, and no other, and to refuse
// what it does not know.
func TestSchema(t *testing.T) {
	top := readSchema(t)
	known := []string{"global"} // Helm's own
	for _, v := range values(t) {
		known = append(known, v.path)
	}
	var walk func(string, *schema)
	walk = func(path string, s *schema) {
		if name, ok := strings.CutPrefix(s.Ref, "#/definitions/"); ok {
			if s = top.Definitions[name]; s == nil {
				t.Fatalf("%s is of an unknown kind %s", path, name)
			}
		}
		if s.Type == nil && s.Enum == nil {
			t.Errorf("%s may be anything", path)
		}
		if s.Properties != nil && s.AdditionalProperties != false && path != "extraVolumes[]" { // there are many kinds
			t.Errorf("%s may have properties that are not known", path)
		}
		if s.Items != nil {
			walk(path+"[]", s.Items)
		}
		for name, property := range s.Properties {
			walk(strings.TrimPrefix(path+"."+name, "."), property)
		}
	}
	walk("", top)

	for _, v := range values(t) {
		s := top
		for _, key := range strings.Split(v.path, ".") {
			if s = s.Properties[key]; s == nil {
				t.Fatalf("the schema has no %s", v.path)
			}
			if name, ok := strings.CutPrefix(s.Ref, "#/definitions/"); ok {
				s = top.Definitions[name]
			}
		}
		for name := range s.Properties {
			if v.group && !slices.Contains(known, v.path+"."+name) {
				t.Errorf("values.yaml has no %s.%s, which the schema takes", v.path, name)
			}
		}
	}
	for name := range top.Properties {
		if !slices.Contains(known, name) {
			t.Errorf("values.yaml has no %s, which the schema takes", name)
		}
	}
}

// TestValuesAreTried wants every value to be another than the default somewhere
// in testdata, which the other tests render, decode and lint.
func TestValuesAreTried(t *testing.T) {
	var tried []map[string]any
	for _, files := range valuesFiles(t) {
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var all map[string]any
			if err := yamlv3.Unmarshal(text, &all); err != nil {
				t.Fatal(err)
			}
			tried = append(tried, all)
		}
	}
	for _, v := range values(t) {
		if !v.group && !slices.ContainsFunc(tried, func(all map[string]any) bool {
			other, found := lookUp(all, v.path)
			return found && !reflect.DeepEqual(other, v.standard)
		}) {
			t.Errorf("no file in testdata has another %s", v.path)
		}
	}
}

func lookUp(all map[string]any, path string) (any, bool) {
	key, rest, deeper := strings.Cut(path, ".")
	content, found := all[key]
	if below, ok := content.(map[string]any); ok && deeper {
		return lookUp(below, rest)
	}
	return content, found && !deeper
}

// TestValues wants values to be where they belong, and not there by default.
func TestValues(t *testing.T) {
	plain := render(t)
	for file, objects := range map[string]map[string][]string{
		"testdata/all.yaml": {
			"DaemonSet/dnsmus": {
				"image: mirror.example/dns/dnsmus:1.2.3", "imagePullPolicy: Always", "- name: pull", "priorityClassName: important",
				"disk: ssd", "- key: dedicated", "cpu: 100m", "memory: 1Gi", "maxUnavailable: 10%", "minReadySeconds: 3\n",
				"terminationGracePeriodSeconds: 12", "team: dns", "example.org/note: hi", "type: spc_t", "- -quiet", "mountPath: /zones",
				"name: zones", "path: /run/NetworkManager", "requiredDuringSchedulingIgnoredDuringExecution", "initialDelaySeconds: 4",
				"periodSeconds: 7", "port: 19254", "port: 19255", "- -type=bridge", "- local0", "host: fd00:90::10",
				"example.org/owner: dns", "serviceAccountName: resolver", "automountServiceAccountToken: true",
				"cpu: 9m", "memory: 33Mi", "name: GOMAXPROCS\n          value: \"2\"\n", "fieldPath: spec.nodeName",
			},
			"ConfigMap/dnsmus": {
				"example.org.:53 {", "bind fd00:90::10 169.254.20.10\n", "health [fd00:90::10]:19254 {", "ready [fd00:90::10]:19255\n",
				"prometheus :19253\n", "forward . 10.43.0.10 fd43::a {", "dnsmus /run/resolv/no-stub-resolv.conf {\n", "team: dns",
			},
			"Service/dnsmus-metrics":     {`prometheus.io/scrape: "true"`, "port: 19253", "targetPort: 19253", "team: dns", "tier: node"},
			"ServiceAccount/resolver":    {"automountServiceAccountToken: true", "example.org/role: dns", "team: dns"},
			"ConfigMap/dnsmus-dashboard": {"dashboards: grafana", "grafana_folder: DNS", "team: dns", "dnsmus.json"},
			"ServiceMonitor/dnsmus": {
				"interval: 15s", "release: prometheus", "scrapeTimeout: 9s", "targetLabel: node", "regex: go_.*", "team: dns",
				"tier: monitor", "port: metrics",
			},
			"PrometheusRule/dnsmus": {"role: alerts", "team: dns", "alert: DnsmusReloadFailed"},
			"Pod/dnsmus-test-0": {
				"image: mirror.example/dns/dnsmus:1.2.3", "- wiki.example.org\n    - '@fd00:90::10'\n    - '@169.254.20.10'\n", "disk: ssd",
				"- name: pull", "- key: dedicated", "team: dns", "serviceAccountName: resolver",
			},
			"Pod/dnsmus-test-1": {"- www.example.org\n    - AAAA\n    - '@fd00:90::10'\n"},
		},
		"testdata/alternative.yaml": {
			"DaemonSet/node-cache": {
				"image: registry.example/dnsmus@sha256:0123456789abcdef", "serviceAccountName: default", "app.kubernetes.io/name: cache",
			},
			"ConfigMap/node-cache":  {"cluster.local.:53 {"},
			"PodMonitor/node-cache": {"interval: 15s", "release: prometheus", "scrapeTimeout: 9s", "targetLabel: node", "regex: go_.*"},
		},
	} {
		all := render(t, file)
		if got, want := slices.Sorted(maps.Keys(all)), slices.Sorted(maps.Keys(objects)); !slices.Equal(got, want) {
			t.Errorf("%s makes %q, want %q", file, got, want)
		}
		for key, words := range objects {
			for _, word := range words {
				if !strings.Contains(text(t, all[key]), word) {
					t.Errorf("%s: %s has no %q:\n%s", file, key, word, text(t, all[key]))
				}
				if plain[key] != nil && strings.Contains(text(t, plain[key]), word) {
					t.Errorf("%s has %q by default", key, word)
				}
			}
		}
	}
}

// TestLabels wants an object's own labels before those of all, and selectors to
// have the pods of the DaemonSet and no others.
func TestLabels(t *testing.T) {
	all := render(t, "testdata/all.yaml")
	set := all.daemonSet(t)
	for tier, labels := range map[string]map[string]string{
		"node": set.Labels, "pod": set.Spec.Template.Labels, "monitor": metadata(all["ServiceMonitor/dnsmus"]).GetLabels(),
	} {
		if labels["tier"] != tier {
			t.Errorf("tier is %s, want %s", labels["tier"], tier)
		}
	}
	for _, selector := range []map[string]string{
		set.Spec.Selector.MatchLabels, get[*corev1.Service](t, all, "Service/dnsmus-metrics").Spec.Selector,
	} {
		s := labels.SelectorFromSet(selector)
		if !s.Matches(labels.Set(set.Spec.Template.Labels)) {
			t.Errorf("%v does not select the DaemonSet's pods", selector)
		}
		if test := get[*corev1.Pod](t, all, "Pod/dnsmus-test-0"); s.Matches(labels.Set(test.Labels)) {
			t.Errorf("%v selects a pod of helm test", selector)
		}
	}
}

// TestNames wants names to fit that follow from the longest release's, and those
// that YAML takes for a number to stay text.
func TestNames(t *testing.T) {
	for _, release := range []string{strings.Repeat("release", 8)[:53], "123", "true"} {
		renderAs(t, release, "prometheus.monitor.enabled=true", "prometheus.rules.enabled=true", "dashboard.enabled=true",
			"commonLabels.team=1e3")
	}
}

// TestTests looks at the pods of helm test: they are no part of the node, and run
// what the server runs.
func TestTests(t *testing.T) {
	all := render(t)
	pod, set := get[*corev1.Pod](t, all, "Pod/dnsmus-test-0"), all.daemonSet(t).Spec.Template.Spec
	if pod.Annotations["helm.sh/hook"] != "test" || pod.Spec.HostNetwork || pod.Spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Errorf("this asks not as a pod does:\n%s", text(t, pod))
	}
	c, server := pod.Spec.Containers[0], set.Containers[0]
	if c.Image != server.Image || text(t, c.SecurityContext) != text(t, server.SecurityContext) || len(c.Command) > 0 {
		t.Errorf("the kernel may not run this:\n%s", text(t, c))
	}
	if want := []string{"explain", "_https._tcp.kubernetes.default.svc.cluster.local", "SRV", "@169.254.20.10"}; !slices.Equal(c.Args, want) {
		t.Errorf("it asks %q, want %q", c.Args, want)
	}
}

// TestPackage wants the chart to make the same when it is packed.
func TestPackage(t *testing.T) {
	dir := t.TempDir()
	if _, err := helm(t, "package", "--destination="+dir, chart); err != nil {
		t.Fatal(err)
	}
	packages, err := filepath.Glob(dir + "/dnsmus-*.tgz")
	if err != nil || len(packages) != 1 {
		t.Fatalf("packages are %q: %v", packages, err)
	}
	const values = "--values=testdata/all.yaml"
	want, err := helm(t, "template", "dnsmus", chart, values)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := helm(t, "template", "dnsmus", packages[0], values); err != nil || got != want {
		t.Errorf("the package makes\n%s\nwant\n%s\n%v", got, want, err)
	}
}

// TestChart wants what catalogues of charts show, and the right Kubernetes.
func TestChart(t *testing.T) {
	text, err := os.ReadFile(chart + "/Chart.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var about struct {
		KubeVersion, Home string
		Annotations       map[string]string
	}
	if err := yaml.Unmarshal(text, &about); err != nil {
		t.Fatal(err)
	}
	if about.KubeVersion == "" || about.Home == "" || about.Annotations["artifacthub.io/license"] != "AGPL-3.0-only" {
		t.Errorf("Chart.yaml is\n%s", text)
	}
	var links []struct{ Name, URL string }
	if err := yaml.UnmarshalStrict([]byte(about.Annotations["artifacthub.io/links"]), &links); err != nil || len(links) == 0 {
		t.Errorf("links are %v: %v", links, err)
	}
	for version, fits := range map[string]bool{"1.24.17": false, "1.25.0": true, "1.31.4-eks-1234": true} {
		if _, err := helm(t, "template", "dnsmus", chart, "--kube-version="+version); (err == nil) != fits {
			t.Errorf("for Kubernetes %s: %v", version, err)
		}
	}
}

func TestBadValues(t *testing.T) {
	for setting, says := range map[string]string{
		"interface.adresses={169.254.20.10}":                       "adresses",
		"interface.addresses={}":                                   "addresses",
		"interface.addresses={nodelocal}":                          "addresses",
		"interface.addresses={256.254.20.10}":                      "addresses",
		"interface.addresses={169.254.20}":                         "addresses",
		"interface.addresses={fd00:::10}":                          "addresses",
		"interface.addresses={fd00::1::2}":                         "addresses",
		"interface.addresses={1:2:3:4:5:6:7:8:9}":                  "addresses",
		"clusterDNS={fe80::1%eth0}":                                "clusterDNS",
		"clusterDNS={10.96.0.10:53}":                               "clusterDNS",
		"ports.ready=0":                                            "ready",
		"ports.ready=9254":                                         "must differ",
		"interface.name=sixteen-bytes-it":                          "name",
		"clusterDNS={kube-dns}":                                    "clusterDNS",
		"clusterDomain=.":                                          "clusterDomain",
		"resolv.hostDirectory=etc":                                 "hostDirectory",
		"resolv.file=resolve/resolv.conf":                          "file",
		"ports.health=99999":                                       "health",
		"ports.metrics=http":                                       "metrics",
		"image.repository=":                                        "repository",
		"image.pullPolicy=Sometimes":                               "pullPolicy",
		"image.digest=sha256:0123":                                 "digest",
		"extraVolumeMounts[0].name=x,extraVolumeMounts[0].path=/x": "path",
		"imagePullSecrets={pull}":                                  "imagePullSecrets",
		"env[0].value=2":                                           "env",
		"initContainer.resource.a=b":                               "resource",
		"podLabels.app\\.kubernetes\\.io/name=x":                   "podLabels",
		"commonLabels.app\\.kubernetes\\.io/name=x":                "commonLabels",
		"fullnameOverride=a-name-of-fifty-three-characters-is-one-too-many-here":                  "fullnameOverride",
		"serviceAccount.name=Default":                                                             "name",
		"prometheus.monitor.interval=often":                                                       "interval",
		"prometheus.monitor.relabelings[0].source_labels[0]=x":                                    "source_labels",
		"prometheus.podMonitor.enabled=true,prometheus.monitor.enabled=true":                      "enable one",
		"prometheus.rules.enabled=true,prometheus.rules.disabled={DnsmusDown}":                    "no alert DnsmusDown",
		"updateStrategy.type=Recreate":                                                            "type",
		"livenessProbe.httpGet.port=80":                                                           "httpGet",
		"servers[0].plugins[0].nam=bind":                                                          "nam",
		"servers[0].port=53,servers[0].plugins[0].name=bind,servers[0].plugins[0].parameters={a}": "parameters",
		"tolerations.operator=Exists":                                                             "tolerations",
		"hostNetwork=false":                                                                       "hostNetwork",
		"prometheus.monitor.enabled=true,prometheus.service.enabled=false":                        "prometheus.service.enabled",
	} {
		out, err := helm(t, "template", "dnsmus", chart, "--set="+setting)
		if err == nil {
			t.Errorf("%s is taken:\n%s", setting, out)
		} else if !strings.Contains(err.Error(), says) {
			t.Errorf("%s: the error does not say %q: %v", setting, says, err)
		}
	}
	for _, setting := range []string{"clusterDNS={255.255.255.254}", "clusterDNS={fd00::a}", "clusterDNS={1:2:3:4:5:6:7:8}", "clusterDNS={::}", "clusterDNS={2001:DB8:1::}"} {
		if _, err := helm(t, "template", "dnsmus", chart, "--set="+setting); err != nil {
			t.Errorf("%s: %v", setting, err)
		}
	}
	out, err := helm(t, "template", "dnsmus", chart, "--namespace=dns")
	if err == nil || !strings.Contains(err.Error(), "set clusterDNS") {
		t.Errorf("without the address of the cluster's DNS: %v\n%s", err, out)
	}
}

//go:build linux

package kubernetes

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// strict decodes as the API server does when it is asked to refuse what it
// does not know.
var strict = func() runtime.Decoder {
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	utilruntime.Must(appsv1.AddToScheme(scheme))
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
}()

// manifests are objects by "Kind/name".
type manifests map[string]runtime.Object

// decode reads the YAML documents. Only those of the Prometheus operator are
// not looked into; they are returned apart.
func decode(text string) (all manifests, monitors []string, err error) {
	all = make(manifests)
	documents := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all, monitors, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if strings.Contains(string(document), "kind: ServiceMonitor") {
			monitors = append(monitors, string(document))
			continue
		}
		object, kind, err := strict.Decode(document, nil, nil)
		if err != nil {
			return nil, nil, fmt.Errorf("%w in\n%s", err, document)
		}
		if m, _ := meta.Accessor(object); m.GetNamespace() != "kube-system" {
			return nil, nil, fmt.Errorf("%s %s is in namespace %q", kind.Kind, m.GetName(), m.GetNamespace())
		} else {
			all[kind.Kind+"/"+m.GetName()] = object
		}
	}
}

// render is what the chart makes of values, each a file or a setting KEY=VALUE.
func render(t *testing.T, values ...string) (manifests, []string) {
	t.Helper()
	out, err := helm(t, "template", append([]string{"dnsmus", chart}, flags(values)...)...)
	if err != nil {
		t.Fatal(err)
	}
	all, monitors, err := decode(out)
	if err != nil {
		t.Fatal(err)
	}
	return all, monitors
}

func flags(values []string) []string {
	var args []string
	for _, v := range values {
		if strings.Contains(v, "=") {
			args = append(args, "--set="+v)
		} else {
			args = append(args, "--values="+v)
		}
	}
	return args
}

func (m manifests) daemonSet(t *testing.T) *appsv1.DaemonSet {
	t.Helper()
	return get[*appsv1.DaemonSet](t, m, "DaemonSet/dnsmus")
}

func (m manifests) corefile(t *testing.T) string {
	t.Helper()
	return get[*corev1.ConfigMap](t, m, "ConfigMap/dnsmus").Data["Corefile"]
}

func get[T runtime.Object](t *testing.T, m manifests, key string) T {
	t.Helper()
	object, ok := m[key].(T)
	if !ok {
		t.Fatalf("no %s", key)
	}
	return object
}

func builtBase(t *testing.T) manifests {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), kustomize)
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	base, _, err := decode(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return base
}

func TestStrictDecodingIsStrict(t *testing.T) {
	_, _, err := decode("apiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: kube-system}\nspec: {clusterIp: None}\n")
	if err == nil || !strings.Contains(err.Error(), "clusterIp") {
		t.Errorf("a misspelt field goes unnoticed: %v", err)
	}
}

func TestKustomizeIsTheChartsDefault(t *testing.T) {
	base, chart := builtBase(t), manifests(nil)
	chart, _ = render(t)
	for key, object := range chart {
		m, _ := meta.Accessor(object)
		labels := m.GetLabels()
		for _, own := range []string{"app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart"} {
			delete(labels, own)
		}
		want, got := text(t, object), text(t, base[key])
		if want != got {
			t.Errorf("%s of the chart is\n%s\nthat of kustomize\n%s", key, want, got)
		}
	}
	if len(base) != len(chart) {
		t.Errorf("kustomize has %d objects, the chart %d", len(base), len(chart))
	}
}

func text(t *testing.T, object any) string {
	t.Helper()
	text, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// valuesFiles are those in testdata, and none at all.
func valuesFiles(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no values in testdata", err)
	}
	sets := map[string][]string{"default": nil}
	for _, f := range files {
		sets[filepath.Base(f)] = []string{f}
	}
	return sets
}

func TestLint(t *testing.T) {
	for name, values := range valuesFiles(t) {
		if _, err := helm(t, "lint", append([]string{"--strict", "--quiet", chart}, flags(values)...)...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPods checks what the node relies on, whatever the values.
func TestPods(t *testing.T) {
	for name, values := range valuesFiles(t) {
		all, _ := render(t, values...)
		pod := all.daemonSet(t).Spec.Template.Spec
		if !pod.HostNetwork || pod.DNSPolicy != corev1.DNSDefault {
			t.Errorf("%s: the pod is not on the node's network with the node's DNS", name)
		}
		if *pod.AutomountServiceAccountToken || !*pod.SecurityContext.RunAsNonRoot ||
			pod.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: the pod may more than it needs", name)
		}
		if *pod.SecurityContext.RunAsUser != 65532 {
			t.Errorf("%s: an old and a new pod share port 53 only as the same user", name)
		}
		containers := slices.Concat(pod.InitContainers, pod.Containers)
		for i, capability := range []corev1.Capability{"NET_ADMIN", "NET_BIND_SERVICE"} {
			c := containers[i]
			s := c.SecurityContext
			if *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || s.Privileged != nil ||
				!slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) ||
				!slices.Equal(s.Capabilities.Add, []corev1.Capability{capability}) {
				t.Errorf("%s: container %s may more than %s:\n%s", name, c.Name, capability, text(t, s))
			}
			if len(c.Ports) > 0 {
				t.Errorf("%s: container %s has ports: no room for the new pod of an update", name, c.Name)
			}
		}
		for _, v := range containers[1].VolumeMounts {
			if !v.ReadOnly || v.SubPath != "" {
				t.Errorf("%s: %s is writable, or a file and not a directory", name, v.MountPath)
			}
		}
	}
}

func TestValues(t *testing.T) {
	all, monitors := render(t, "testdata/all.yaml")
	pod := all.daemonSet(t)
	for _, want := range []string{
		"image: mirror.example/dns/dnsmus:1.2.3", "imagePullPolicy: Always", "- name: pull", "priorityClassName: important",
		"disk: ssd", "- key: dedicated", "cpu: 100m", "memory: 1Gi", "maxUnavailable: 10%", "minReadySeconds: 3",
		"terminationGracePeriodSeconds: 12", "team: dns", "example.org/note: hi", "type: spc_t", "- -quiet", "mountPath: /zones",
		"name: zones", "path: /run/NetworkManager", "requiredDuringSchedulingIgnoredDuringExecution", "initialDelaySeconds: 4",
		"periodSeconds: 7", "port: 19254", "port: 19255", "- -type=bridge", "- local0", "host: fd00:90::10",
	} {
		if !strings.Contains(text(t, pod), want) {
			t.Errorf("the DaemonSet has no %q", want)
		}
	}
	corefile := all.corefile(t)
	for _, want := range []string{
		"example.org.:53 {", "bind fd00:90::10 169.254.20.10\n", "health [fd00:90::10]:19254 {", "ready [fd00:90::10]:19255\n",
		"prometheus :19253\n", "forward . 10.43.0.10 fd43::a {", "dnsmus /run/resolv/no-stub-resolv.conf\n",
	} {
		if !strings.Contains(corefile, want) {
			t.Errorf("the Corefile has no %q:\n%s", want, corefile)
		}
	}
	service := get[*corev1.Service](t, all, "Service/dnsmus-metrics")
	if service.Annotations["prometheus.io/scrape"] != "true" || service.Spec.Ports[0].Port != 19253 {
		t.Errorf("the service is\n%s", text(t, service))
	}
	if len(monitors) != 1 || !strings.Contains(monitors[0], "interval: 15s") || !strings.Contains(monitors[0], "release: prometheus") {
		t.Errorf("the monitor is %q", monitors)
	}
}

// TestServers wants blocks of one's own to come out as CoreDNS reads them.
func TestServers(t *testing.T) {
	all, _ := render(t, "testdata/servers.yaml")
	want, err := os.ReadFile("testdata/servers.corefile")
	if err != nil {
		t.Fatal(err)
	}
	if got := all.corefile(t); got != string(want) {
		t.Errorf("the Corefile is\n%s\nwant\n%s", got, want)
	}
}

func TestBadValues(t *testing.T) {
	for setting, says := range map[string]string{
		"link.adresses={169.254.20.10}":   "adresses",
		"link.addresses={}":               "addresses",
		"link.addresses={nodelocal}":      "addresses",
		"link.name=sixteen-bytes-it":      "name",
		"clusterDNS={kube-dns}":           "clusterDNS",
		"clusterDomain=.":                 "clusterDomain",
		"resolv.hostDirectory=etc":        "hostDirectory",
		"resolv.file=resolve/resolv.conf": "file",
		"ports.health=99999":              "health",
		"ports.metrics=http":              "metrics",
		"image.repository=":               "repository",
		"image.pullPolicy=Sometimes":      "pullPolicy",
		"updateStrategy.type=Recreate":    "type",
		"livenessProbe.httpGet.port=80":   "httpGet",
		"servers[0].plugins[0].nam=bind":  "nam",
		"servers[0].port=53,servers[0].plugins[0].name=bind,servers[0].plugins[0].parameters={a}": "parameters",
		"tolerations.operator=Exists": "tolerations",
		"hostNetwork=false":           "hostNetwork",
		"prometheus.monitor.enabled=true,prometheus.service.enabled=false": "prometheus.service.enabled",
	} {
		out, err := helm(t, "template", "dnsmus", chart, "--set="+setting)
		if err == nil {
			t.Errorf("%s is taken:\n%s", setting, out)
		} else if !strings.Contains(err.Error(), says) {
			t.Errorf("%s: the error does not say %q: %v", setting, says, err)
		}
	}
	out, err := helm(t, "template", "dnsmus", chart, "--namespace=dns")
	if err == nil || !strings.Contains(err.Error(), "set clusterDNS") {
		t.Errorf("without the address of the cluster's DNS: %v\n%s", err, out)
	}
}

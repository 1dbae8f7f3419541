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

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	utilruntime.Must(monitoringv1.AddToScheme(scheme))
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
}()

// manifests are objects by "Kind/name".
type manifests map[string]runtime.Object

// decode reads the YAML documents.
func decode(text string) (manifests, error) {
	all := make(manifests)
	documents := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		object, kind, err := strict.Decode(document, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, document)
		}
		m, key := metadata(object), kind.Kind+"/"+metadata(object).GetName()
		if m.GetNamespace() != "kube-system" || len(m.GetName()) > 63 || all[key] != nil {
			return nil, fmt.Errorf("%s is in namespace %q, or there twice, or its name is too long", key, m.GetNamespace())
		}
		all[key] = object
	}
}

func metadata(object runtime.Object) metav1.Object {
	m, err := meta.Accessor(object)
	utilruntime.Must(err)
	return m
}

// render is what the chart makes of values, each a file or a setting KEY=VALUE.
func render(t *testing.T, values ...string) manifests {
	t.Helper()
	return renderAs(t, "dnsmus", values...)
}

// renderAs does so for a release of this name.
func renderAs(t *testing.T, release string, values ...string) manifests {
	t.Helper()
	out, err := helm(t, "template", append([]string{release, chart}, flags(values)...)...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := decode(out)
	if err != nil {
		t.Fatal(err)
	}
	return all
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
	for _, object := range m {
		if d, ok := object.(*appsv1.DaemonSet); ok {
			return d
		}
	}
	t.Fatal("no DaemonSet")
	return nil
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
	base, err := decode(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return base
}

func TestStrictDecodingIsStrict(t *testing.T) {
	for misspelt, document := range map[string]string{
		"clusterIp":      "apiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: kube-system}\nspec: {clusterIp: None}\n",
		"scrapeInterval": "apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {name: x, namespace: kube-system}\nspec: {selector: {}, podMetricsEndpoints: [{scrapeInterval: 1s}]}\n",
	} {
		if _, err := decode(document); err == nil || !strings.Contains(err.Error(), misspelt) {
			t.Errorf("a misspelt field %s goes unnoticed: %v", misspelt, err)
		}
	}
}

func TestKustomizeIsTheChartsDefault(t *testing.T) {
	base, chart := builtBase(t), render(t)
	for key, object := range chart {
		if metadata(object).GetAnnotations()["helm.sh/hook"] != "" { // only Helm calls it
			delete(chart, key)
			continue
		}
		labels := metadata(object).GetLabels()
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
		all := render(t, values...)
		pod := all.daemonSet(t).Spec.Template.Spec
		if !pod.HostNetwork || pod.DNSPolicy != corev1.DNSDefault {
			t.Errorf("%s: the pod is not on the node's network with the node's DNS", name)
		}
		if token := *pod.AutomountServiceAccountToken; token != (name == "all.yaml") {
			t.Errorf("%s: whether the pod has a token is %t", name, token)
		}
		if !*pod.SecurityContext.RunAsNonRoot ||
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

// TestServers wants blocks of one's own to come out as CoreDNS reads them.
func TestServers(t *testing.T) {
	all := render(t, "testdata/servers.yaml")
	want, err := os.ReadFile("testdata/servers.corefile")
	if err != nil {
		t.Fatal(err)
	}
	if got := all.corefile(t); got != string(want) {
		t.Errorf("the Corefile is\n%s\nwant\n%s", got, want)
	}
}

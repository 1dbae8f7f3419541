{{- define "dnsmus.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* Leaves room for what is put behind: names of services have 63 characters. */ -}}
{{- define "dnsmus.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- $name = .Values.fullnameOverride }}
{{- else if contains $name .Release.Name }}
{{- $name = .Release.Name }}
{{- else }}
{{- $name = printf "%s-%s" .Release.Name $name }}
{{- end }}
{{- $name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "dnsmus.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dnsmus.name" . }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* The labels of pods: .top is the root, .labels are their own. */ -}}
{{- define "dnsmus.podLabels" -}}
{{- $fixed := include "dnsmus.selectorLabels" .top | fromYaml }}
{{- mustMerge $fixed (default dict .labels) .top.Values.commonLabels | toYaml }}
{{- end }}

{{- /* The metadata of an object: .top is the root, .suffix the end of its name;
       .labels and .annotations are its own. With .app it is not of the same app,
       and neither DaemonSet nor service takes it for one of their pods. */ -}}
{{- define "dnsmus.metadata" -}}
{{- $fixed := include "dnsmus.selectorLabels" .top | fromYaml }}
{{- $_ := set $fixed "app.kubernetes.io/name" (default (include "dnsmus.name" .top) .app) }}
{{- $_ := set $fixed "app.kubernetes.io/version" .top.Chart.AppVersion }}
{{- $_ := set $fixed "app.kubernetes.io/managed-by" .top.Release.Service }}
{{- $_ := set $fixed "helm.sh/chart" (printf "%s-%s" .top.Chart.Name .top.Chart.Version | replace "+" "_") -}}
name: {{ include "dnsmus.fullname" .top }}{{ .suffix }}
namespace: {{ .top.Release.Namespace }}
labels:
  {{- mustMerge $fixed (default dict .labels) .top.Values.commonLabels | toYaml | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "dnsmus.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "dnsmus.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "dnsmus.image" -}}
{{- with .Values.image }}
{{- .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{- /* Where pods may run, and how they get their image. */ -}}
{{- define "dnsmus.placement" -}}
{{- range $key := list "imagePullSecrets" "nodeSelector" "affinity" "tolerations" }}
{{- with index $.Values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Those settings of a monitor that are the same in both kinds. */ -}}
{{- define "dnsmus.scrape" -}}
{{- range $key := list "interval" "scrapeTimeout" "metricRelabelings" }}
{{- with index $ $key }}
{{ $key }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The first address of the interface, as it stands before a port. */ -}}
{{- define "dnsmus.host" -}}
{{- $address := first .Values.interface.addresses }}
{{- if contains ":" $address }}[{{ $address }}]{{ else }}{{ $address }}{{ end }}
{{- end }}

{{- define "dnsmus.clusterDNS" -}}
{{- if .Values.clusterDNS }}
{{- join " " .Values.clusterDNS }}
{{- else if eq .Release.Namespace "kube-system" }}
{{- print "{$KUBE_DNS_SERVICE_HOST}" }}
{{- else }}
{{- fail "set clusterDNS to the address of the cluster's DNS service, or install with --namespace kube-system" }}
{{- end }}
{{- end }}

{{- define "dnsmus.corefile" -}}
{{- range $i, $server := .Values.servers }}
{{- if $i }}{{ "\n" }}{{ end }}
{{- $zones := list }}
{{- range default (list (dict "zone" ".")) $server.zones }}
{{- $zones = append $zones (printf "%s%s:%v" (default "" .scheme) (tpl .zone $) $server.port) }}
{{- end }}
{{- join " " $zones }} {
{{- range $server.plugins }}
    {{ .name }}{{ if hasKey . "parameters" }} {{ tpl (toString .parameters) $ }}{{ end }}
    {{- if .configBlock }} {
{{ .configBlock | trim | indent 8 }}
    }
    {{- end }}
{{- end }}
}
{{ end }}
{{- end }}

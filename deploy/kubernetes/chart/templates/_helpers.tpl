{{- define "dnsmus.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "dnsmus.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "dnsmus.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dnsmus.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "dnsmus.labels" -}}
{{ include "dnsmus.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "dnsmus.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}

{{- /* The first address of the link, as it stands before a port. */ -}}
{{- define "dnsmus.host" -}}
{{- $address := first .Values.link.addresses }}
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

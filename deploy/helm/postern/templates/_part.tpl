{{/* One program of the two: its configuration, its state, its pod. Called with a dict of root, name, values, ports. */}}
{{- define "postern.part" -}}
{{- $full := printf "%s-%s" .root.Release.Name .name -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $full }}
  labels: {{- include "postern.labels" . | nindent 4 }}
data:
  {{ .name }}.toml: |
    {{- .values.config | nindent 4 }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $full }}
  labels: {{- include "postern.labels" . | nindent 4 }}
spec:
  selector: {{- include "postern.labels" . | nindent 4 }}
  ports:
    {{- range $port, $number := .ports }}
    - { name: {{ $port }}, port: {{ $number }}, targetPort: {{ $port }} }
    {{- end }}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ $full }}
  labels: {{- include "postern.labels" . | nindent 4 }}
spec:
  serviceName: {{ $full }}
  replicas: 1
  selector:
    matchLabels: {{- include "postern.labels" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "postern.labels" . | nindent 8 }}
      annotations:
        checksum/config: {{ .values.config | sha256sum }}
        prometheus.io/scrape: "true"
        prometheus.io/port: {{ .ports.admin | quote }}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 30
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        fsGroup: 65532
        seccompProfile: { type: RuntimeDefault }
      containers:
        - name: {{ .name }}
          image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}"
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args: [{{ .name }}, --config, /etc/postern/{{ .name }}.toml, --log-format, json]
          ports:
            {{- range $port, $number := .ports }}
            - { name: {{ $port }}, containerPort: {{ $number }} }
            {{- end }}
          livenessProbe: { httpGet: { path: /healthz, port: admin }, periodSeconds: 10 }
          readinessProbe: { httpGet: { path: /readyz, port: admin }, periodSeconds: 5 }
          resources: {{- toYaml .values.resources | nindent 12 }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: { drop: [ALL] }
          volumeMounts:
            - { name: config, mountPath: /etc/postern/{{ .name }}.toml, subPath: {{ .name }}.toml, readOnly: true }
            - { name: state, mountPath: /var/lib/postern }
            {{- if .values.secretName }}
            - { name: secret, mountPath: /etc/postern/secret, readOnly: true }
            {{- end }}
      volumes:
        - name: config
          configMap: { name: {{ $full }} }
        {{- if .values.secretName }}
        - name: secret
          secret: { secretName: {{ .values.secretName }}, defaultMode: 0440 }
        {{- end }}
  volumeClaimTemplates:
    - metadata: { name: state }
      spec:
        accessModes: [ReadWriteOnce]
        {{- if .values.storage.className }}
        storageClassName: {{ .values.storage.className }}
        {{- end }}
        resources: { requests: { storage: {{ .values.storage.size }} } }
{{- end }}

{{- define "postern.labels" -}}
app.kubernetes.io/name: postern
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

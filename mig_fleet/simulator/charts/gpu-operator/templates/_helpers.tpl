{{- define "gpu-operator.labels" -}}
app.kubernetes.io/name: gpu-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/*
One operand. Takes a dict: root, name (of the DaemonSet and in label app), deploy (the label that enables it per node), and
optionally env (a list), and volume, mountPath and configMap (a ConfigMap's name).
*/}}
{{- define "gpu-operator.operand" -}}
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    app: {{ .name }}
    {{- include "gpu-operator.labels" .root | nindent 4 }}
spec:
  selector:
    matchLabels:
      app: {{ .name }}
  updateStrategy:
    type: {{ .root.Values.daemonsets.updateStrategy }}
  template:
    metadata:
      labels:
        app: {{ .name }}
        {{- with .root.Values.daemonsets.labels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .root.Values.daemonsets.annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      nodeSelector:
        nvidia.com/gpu.deploy.{{ .deploy }}: "true"
      priorityClassName: {{ .root.Values.daemonsets.priorityClassName }}
      {{- with .root.Values.daemonsets.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .name }}
          image: simulated/{{ .name }}:{{ .root.Chart.AppVersion }}
          env:
            - name: NODE_NAME
              valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
            {{- with .env }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          {{- if .configMap }}
          volumeMounts:
            - {name: {{ .volume }}, mountPath: {{ .mountPath }}}
          {{- end }}
      {{- if .configMap }}
      volumes:
        - name: {{ .volume }}
          configMap: {name: {{ .configMap }}}
      {{- end }}
{{- end }}

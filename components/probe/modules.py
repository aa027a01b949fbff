"""The modules of this package that the probe imports. Only these are packed for the nodes.

To find them by reading the imports of sixty files took a fifth of a preview's processor time. A test runs the packed
probe on a bare Python and names the lines that are missing here, or too many.
"""

MODULES = (
    "foreign_text",
    "model.allocation",
    "model.errors",
    "model.finding",
    "model.gfd",
    "model.gpus",
    "model.gpus.checks",
    "model.gpus.evidence",
    "model.gpus.hints",
    "model.gpus.loader",
    "model.gpus.lookup",
    "model.gpus.meanings",
    "model.gpus.model",
    "model.labels",
    "model.numbers",
    "model.profiles",
    "model.reading",
    "model.report",
    "model.report_grammar",
    "model.short_repr",
    "model.strategy",
    "model.suggestions",
    "probe.__main__",
    "probe.device_ids",
    "probe.grpc_call",
    "probe.json_stream",
    "probe.kubernetes",
    "probe.log",
    "probe.node_events",
    "probe.nvml",
    "probe.nvml_calls",
    "probe.nvml_subprocess",
    "probe.pod_resources",
    "probe.protobuf",
    "probe.watch",
)

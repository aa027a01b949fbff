"""The names that parts of the system share in the cluster: labels, annotations, taints, resources, objects, keys.

Names under ``nvidia.com/`` belong to NVIDIA (GPU Operator v26.7.0, mig-parted v0.15.0, GPU Feature Discovery v0.20.0);
names under ``mig-fleet.dev/`` are ours.
"""

from typing import Final

CONFIG: Final = "nvidia.com/mig.config"
"""Node label: the name of the config that MIG Manager must apply."""

STATE: Final = "nvidia.com/mig.config.state"
"""Node label: ``pending``, ``rebooting``, ``success`` or ``failed``. The config that it refers to is not part of it."""

BUSY_STATES: Final = ("pending", "rebooting")
"""The states in which MIG Manager works on the GPUs."""

CAPABLE: Final = "nvidia.com/mig.capable"
STRATEGY: Final = "nvidia.com/mig.strategy"
PLUGIN_CONFIG: Final = "nvidia.com/device-plugin.config"
PRODUCT: Final = "nvidia.com/gpu.product"
COUNT: Final = "nvidia.com/gpu.count"

RESOURCE_PREFIX: Final = "nvidia.com/mig-"
"""Under strategy ``mixed`` a profile's resource and GFD label group is this + the profile with ``+`` as ``.``."""

GPU_RESOURCE: Final = "nvidia.com/gpu"

DEPLOY_PREFIX: Final = "nvidia.com/gpu.deploy."
"""Node labels that turn the operator's DaemonSets on or off per node: ``true``, or a reason for not running."""

PAUSED: Final = "paused-for-mig-change"

ALL_DISABLED: Final = "all-disabled"
"""The config that the operator sets on MIG-capable nodes without one; every layout file must have it."""

LAYOUTS_CONFIG_MAP: Final = "mig-fleet-layouts"
LAYOUTS_KEY: Final = "config.yaml"
OPERATOR_OWNED_CONFIG_MAP: Final = "default-mig-parted-config"
"""The operator overwrites a ConfigMap of this name on each reconcile (gpu-operator #384, #249, #281)."""

PROBE: Final = "mig-probe"
"""The probe's DaemonSet, service account and field manager."""

PROBE_PROGRAM: Final = "mig-probe.pyz"
"""The key of the probe's program in its ConfigMap, ``mig-probe-<hash>``."""

OWN_REPORT_POLICY: Final = "mig-probe-writes-its-own-report"
"""The admission policy, and its binding, that limits a probe to the report of its own node."""

REPORT_PREFIX: Final = "mig-report-"
REPORT_LABEL: Final = "mig-fleet.dev/report"
REPORT_KEY: Final = "report.json"
HEARTBEAT: Final = "mig-fleet.dev/heartbeat"
"""Annotation of a report's ConfigMap: a new value each time the probe writes it. The API server then stamps the probe's
entry of ``metadata.managedFields`` with its own clock, the only one that is used for the age of a report."""

PREVIOUS_CONFIG: Final = "mig-fleet.dev/previous-config"
"""Node annotation: the value of :data:`CONFIG` before our first write; empty if there was none."""

ATTEMPT: Final = "mig-fleet.dev/attempt"
"""Node annotation: counts our writes of config and state. A report has the attempt that the probe read, which
distinguishes a report from before the latest write even if config and state are the same."""

WAVE: Final = "mig-fleet.dev/wave"
"""Node annotation: the wave that owns the node. A wave that is deleted from the stack changes only nodes that it still
owns: when a pool is renamed, or a node moves to another pool, the new wave takes ownership before the old one is
deleted."""

OWNER: Final = "mig-fleet.dev/owner"
"""Annotation of the nodes and of the layout file: the stack that owns the cluster, ``<id> <organization>/<project>/
<stack>``. The id survives a rename of the stack."""

VERIFIED_CONFIG: Final = "mig-fleet.dev/verified-config"
"""Node annotation: the last config that was verified through NVML on this node; a rollback returns to it."""

CONTENT: Final = "mig-fleet.dev/content"
"""Annotation of the dashboards and the rules: a hash of their content, which previews do not print."""

CORDONED: Final = "mig-fleet.dev/cordoned"
"""Node annotation, ``true``: the node was schedulable until we made it unschedulable for a change."""

OWNERSHIP_ANNOTATIONS: Final = (WAVE, OWNER, PREVIOUS_CONFIG, ATTEMPT, VERIFIED_CONFIG)
"""The annotations of a node that a wave owns; they are removed together."""

TAINT: Final = "mig-fleet.dev/reconfiguring"
"""Taint key: the node is being reconfigured; no new pod may start on its GPUs (effect ``NoSchedule``)."""

STARTUP_TAINT: Final = "mig-fleet.dev/startup"
"""Taint key for node pools with autoscaling: the pool's template sets it, and it is removed once the node is verified,
so that no pod gets a whole GPU before the GPU is partitioned (gpu-operator #2670)."""

OUR_TAINTS: Final = (TAINT, STARTUP_TAINT)

MODEL: Final = "mig-fleet.dev/gpu"
"""Node label: the short name of the node's GPU model in the catalog, set by our rule for Node Feature Discovery."""

MODEL_RULE: Final = "mig-fleet-gpu-models"
"""The NodeFeatureRule that sets it."""

NODE_FEATURE_API: Final = "nfd.k8s-sigs.io/v1alpha1"
NODE_FEATURE_RULE: Final = "NodeFeatureRule"
"""A rule of Node Feature Discovery that labels nodes (Node Feature Discovery, customization guide)."""

ALERT_RULES: Final = "mig-fleet-rules"
"""The PrometheusRule, or the ConfigMap, with our rules."""

DASHBOARDS: Final = {name: f"mig-fleet-dashboard-{name}" for name in ("fleet", "node", "pool")}
"""Dashboard → the ConfigMap, or the GrafanaDashboard, that has it."""


def is_gpu_resource(name: str) -> bool:
    """Whether an extended resource is whole GPUs or the slices of a profile, which is all that a layout determines."""
    return name == GPU_RESOURCE or name.startswith(RESOURCE_PREFIX)


def is_gpu_request(name: str) -> bool:
    """Whether a pod with this extended resource uses a GPU: one of :func:`is_gpu_resource`, or a time-sliced GPU,
    ``nvidia.com/gpu.shared``.
    """
    return is_gpu_resource(name) or name.startswith(f"{GPU_RESOURCE}.")

"""The words that two parts of the system share on the wire: labels, annotations, object names, keys.

Names under ``nvidia.com/`` belong to NVIDIA (GPU Operator v26.7.0, mig-parted v0.15.0, GPU Feature Discovery v0.20.0);
names under ``mig-fleet.dev/`` are ours.
"""

from typing import Final

CONFIG: Final = "nvidia.com/mig.config"
"""Node label: the config name MIG Manager shall apply."""

STATE: Final = "nvidia.com/mig.config.state"
"""Node label: ``pending``, ``rebooting``, ``success`` or ``failed``. It does not say of which config."""

CAPABLE: Final = "nvidia.com/mig.capable"
STRATEGY: Final = "nvidia.com/mig.strategy"
PRODUCT: Final = "nvidia.com/gpu.product"
COUNT: Final = "nvidia.com/gpu.count"

RESOURCE_PREFIX: Final = "nvidia.com/mig-"
"""Under strategy ``mixed`` a profile's resource and GFD label group is this + the profile with ``+`` as ``.``."""

GPU_RESOURCE: Final = "nvidia.com/gpu"

DEPLOY_PREFIX: Final = "nvidia.com/gpu.deploy."
"""Node labels that switch the operator's DaemonSets per node, ``true`` or a reason for not running."""

PAUSED: Final = "paused-for-mig-change"

ALL_DISABLED: Final = "all-disabled"
"""The config the operator gives to MIG-capable nodes without one; every layout file must hold it."""

LAYOUTS_CONFIG_MAP: Final = "mig-fleet-layouts"
LAYOUTS_KEY: Final = "config.yaml"
OPERATOR_OWNED_CONFIG_MAP: Final = "default-mig-parted-config"
"""The operator overwrites a ConfigMap of this name on each reconcile (gpu-operator #384, #249, #281)."""

PROBE: Final = "mig-probe"
"""The probe's DaemonSet, service account and field manager."""

REPORT_PREFIX: Final = "mig-report-"
REPORT_LABEL: Final = "mig-fleet.dev/report"
REPORT_KEY: Final = "report.json"
HEARTBEAT: Final = "mig-fleet.dev/heartbeat"
"""Annotation of a report's ConfigMap: another value each time the probe writes it. The API server then stamps the
probe's entry of ``metadata.managedFields`` with its own clock, the only one that tells how old the report is."""

PREVIOUS_CONFIG: Final = "mig-fleet.dev/previous-config"
"""Node annotation: the value of :data:`CONFIG` before our first write; empty when there was none."""

ATTEMPT: Final = "mig-fleet.dev/attempt"
"""Node annotation: counts our writes of config and state. A report names the attempt it saw, so that a report from
before the latest write is told from one after it even where config and state read the same."""

WAVE: Final = "mig-fleet.dev/wave"
"""Node annotation: the wave the node belongs to. A wave that leaves the stack touches only nodes still its own: when a
pool is renamed, or a node moves to another pool, the new wave has taken them over before the old one goes."""

VERIFIED_CONFIG: Final = "mig-fleet.dev/verified-config"
"""Node annotation: the last config that was read back through NVML here; what a rollback returns to."""

CORDONED: Final = "mig-fleet.dev/cordoned"
"""Node annotation, ``true``: the node was schedulable until we made it unschedulable for a change."""

MARKS: Final = (WAVE, PREVIOUS_CONFIG, ATTEMPT, VERIFIED_CONFIG)
"""The annotations of a node that is ours; they leave it together."""

FIELD_MANAGER: Final = "mig-fleet"

TAINT: Final = "mig-fleet.dev/reconfiguring"
"""Taint key: the node is being cut anew; nothing new may start on its GPUs (effect ``NoSchedule``)."""

STARTUP_TAINT: Final = "mig-fleet.dev/startup"
"""Taint key for node pools that grow by themselves: put there by the pool's template, taken off once the node is
verified, so that no pod gets a whole GPU before it is cut (gpu-operator #2670)."""

OUR_TAINTS: Final = (TAINT, STARTUP_TAINT)

MODEL: Final = "mig-fleet.dev/gpu"
"""Node label: the catalog name of the node's GPU model, put there by a rule of ours for Node Feature Discovery."""

NODE_FEATURE_API: Final = "nfd.k8s-sigs.io/v1alpha1"
NODE_FEATURE_RULE: Final = "NodeFeatureRule"
"""A rule of Node Feature Discovery that labels nodes (Node Feature Discovery, customization guide)."""

"""The names of the recorded series. Dashboards, alerts and advice read these, never the exporter's own names, which
differ between its versions.

Labels of a slice, :data:`SLICE`: ``node``; ``gpu``, the index on the node; ``uuid`` of the GPU; ``model``, as the
driver names it; ``profile``, as the exporter spells it (``1g.10gb+me``); ``slice``, the NVML id of the GPU instance,
unique within one GPU; ``namespace``, ``pod`` and ``container`` of the pod that has the slice, absent if none has it.
"""

from typing import Final

GPU: Final = ("node", "gpu", "uuid", "model")
"""Labels of a GPU."""
SLICE: Final = (*GPU, "profile", "slice")
"""Labels of a slice, without its pod."""
OF_POD: Final = ("namespace", "pod", "container")
"""Labels of the pod that has a slice."""

# One row per slice, with the labels SLICE and OF_POD.
ACTIVITY: Final = "mig:slice_activity:ratio"
"""Share of time that the slice computed, 0 to 1; a slice that is always busy has 1, whatever its size."""
SM_ACTIVITY: Final = "mig:slice_sm_activity:ratio"
TENSOR_ACTIVITY: Final = "mig:slice_tensor_activity:ratio"
DRAM_ACTIVITY: Final = "mig:slice_dram_activity:ratio"
MEMORY_USED: Final = "mig:slice_memory_used:bytes"
MEMORY_RATIO: Final = "mig:slice_memory_used:ratio"
"""Memory used as a share of the slice's usable memory, 0 to 1."""
XID: Final = "mig:slice_xid:code"
"""The last XID error; labels SLICE, of which a GPU without MIG has neither profile nor slice. The exporter repeats the
last value for ever."""

# One row per GPU, with the labels GPU. Fields of a board are repeated on each of its slices, and counted once here.
GPU_ACTIVITY: Final = "mig:gpu_activity:ratio"
"""Activity of the slices, weighted by their compute slices, as a share of the whole GPU, 0 to 1; a GPU without MIG has
its own activity. Labels GPU and pool."""
WHOLE_GPU_ACTIVITY: Final = "mig:whole_gpu_activity:ratio"
"""Activity of a GPU without MIG, 0 to 1; labels GPU and OF_POD."""
POWER: Final = "mig:gpu_power:watts"
TEMPERATURE: Final = "mig:gpu_temperature:celsius"
MEMORY_CLOCK: Final = "mig:gpu_memory_clock:hertz"

# From Kubernetes. ``resource`` is spelled as kube-state-metrics does: nvidia_com_mig_1g_10gb.
NODE: Final = "mig:node:info"
"""1 for each node of a pool, one row per node; labels node, pool, config: the config that was verified last on it,
absent before the first verification."""
STATE: Final = "mig:node_state:info"
"""1 for each node with a config, one row per node; labels node, config (as labelled) and state (``success``,
``pending``, …; absent until MIG Manager reports one)."""
ISOLATED: Final = "mig:node_isolated:info"
"""1 for each reason why mig-fleet keeps new pods off a node; labels node, reason: ``reconfiguring`` or ``startup``, our
taints, and ``cordon``."""
CHANGING: Final = "mig:node_changing:info"
"""1 while a node is reconfigured, or is isolated by mig-fleet; labels node, reason (``pending``, also for
``rebooting``, and ``isolated``)."""
ALLOCATABLE: Final = "mig:allocatable:slices"
"""Slices that the kubelet offers; labels node, resource. Under strategy ``single`` the ``nvidia_com_gpu`` of nodes
with MIG, under ``none`` nothing. Replicas of time-slicing, ``….shared``, are not slices."""
REQUESTED: Final = "mig:requested:slices"
"""Slices that running and scheduled pods request; labels node, resource."""
REQUESTED_BY_NAMESPACE: Final = "mig:requested_by_namespace:slices"
"""Slices that running and pending pods request; labels namespace, resource."""
PENDING: Final = "mig:pending:slices"
"""Slices that pods request and no node has been found for; labels namespace, pod, resource. Under strategy ``single`` a
request does not show whether it is for a slice or for a whole GPU."""
DECLARED: Final = "mig:declared:slices"
"""GPU instances by the config that was verified last on a node; labels node, pool, config, profile, resource.
``profile`` is the catalog's name. ``resource`` is absent where the kubelet offers another number of devices: under
strategy ``none``, and for an instance that is split into parts. A config without slices has one row of 0 without
profile and resource, so a node has no row only if its config is not known."""
REPORTED: Final = "mig:reported:slices"
"""GPU instances that the exporter reports on nodes of pools; labels node, profile: the catalog's name, however the
exporter spells it."""

# Constants of a pool. Those of profiles have a row for each spelling, and one without profile for a GPU without MIG.
PROFILE_SHARE: Final = "mig:profile_share:ratio"
"""Share of a GPU that one slice is charged for, before scaling, 0 to 1; labels pool, profile."""
PROFILE_COMPUTE: Final = "mig:profile_compute:slices"
"""Compute slices; labels pool, profile."""
GPU_COMPUTE: Final = "mig:gpu_compute:slices"
"""Compute slices of the GPU model; label pool."""
NODE_GPUS: Final = "mig:node_gpus:count"
"""GPUs of each node; label pool."""
GPU_PRICE: Final = "mig:gpu_price:usd_per_hour"
"""Price of one GPU, of pools with a price; label pool."""

# Money, in USD per hour, for pools with a price.
SLICE_SHARE: Final = "mig:slice_share:ratio"
"""Share of the GPU that a slice is charged for, before scaling, for all pools; labels as :data:`SLICE_COST`."""
SLICE_COST: Final = "mig:slice_cost:usd_per_hour"
"""Labels SLICE, OF_POD and pool; a GPU without MIG is one row without profile and slice. Pods that share a slice share
its price."""
COST: Final = "mig:cost:usd_per_hour"
"""Labels pool, node, namespace (of used and idle) and part, one of :data:`PARTS`."""
POOL_COST: Final = "mig:pool_cost:usd_per_hour"
"""The price of all GPUs of the pool's nodes, which the parts of :data:`COST` add up to; label pool. A node has as many
GPUs as the pool declares, or as the exporter reports if that is more."""

PARTS: Final = ("used", "idle", "unallocated", "stranded", "unobserved")
"""``used`` is paid for work, ``idle`` for the unused part of slices with a pod, ``unallocated`` for slices without one,
``stranded`` for what no slice of a GPU has, ``unobserved`` for GPUs of which the exporter reports nothing, and for
slices with a pod whose activity it does not report."""

"""A fleet in memory: nodes with a MIG Manager that applies configs, operands that follow, and users' pods.

A new fleet is as expected: two H100 per node, all operands running, MIG off since before our first write. Each test
breaks one thing.
"""

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import yaml

from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.errors import ClusterError, TooManyRequests
from mig_fleet.model import gfd, labels, parted
from mig_fleet.model.layouts import Layout
from mig_fleet.model.report import Allocation, ComputeInstance, Gpu, Instance, Report
from mig_fleet.model.strategy import PerGpu, Strategy, allocatable
from tests.memory.api import Api
from tests.memory.clock import Clock

DENSE = Layout.parse("dense", {"gpu": "H100-80GB", "all": {"1g.10gb": 7}})
WIDE = Layout.parse("wide", {"gpu": "H100-80GB", "all": {"3g.40gb": 2}})
OPERATOR, PROBES = "gpu-operator", "mig-fleet"
MANAGER, PLUGIN = "nvidia-mig-manager", "nvidia-device-plugin-daemonset"
H100, A100 = "0x233010DE", "0x20B510DE"
GPUS_PER_NODE = 2
PRODUCT = "NVIDIA-H100-80GB-HBM3"

PROBE_DAEMON_SET = f"/apis/apps/v1/namespaces/{PROBES}/daemonsets/{labels.PROBE}"
PROBE_ACCOUNT = f"/api/v1/namespaces/{PROBES}/serviceaccounts/{labels.PROBE}"

WORK_S = 5.0
"""Seconds that MIG Manager needs for a config, and a pod to end after its eviction."""

SUCCEEDS, FAILS, STAYS_PENDING = "succeeds", "fails", "stays pending"
PAUSED_OPERANDS = ("device-plugin", "gpu-feature-discovery")
CREATES_NOTHING, LOSES_ONE = "reports success without slices", "reports success with one slice missing"
"""The outcomes of MIG Manager's work on a config."""


class Fleet(Api):
    """Nodes with two GPUs each, under one GPU Operator."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.clock = Clock()
        self.per_gpu: dict[str, list[dict[str, int] | None]] = {}
        """Node → the slices that NVML has, by GPU."""
        self.manager_outcomes: dict[str, list[str]] = {}
        """Node → the outcomes of its MIG Manager, one per config or restart; the last one is repeated."""
        self.stale_plugins: set[str] = set()
        """Nodes whose device plugin reads the GPUs only when it starts."""
        self.stopped_probes: set[str] = set()
        """Nodes whose probe writes no report."""
        self.synced_after_s: dict[str, float] = {}
        """Node → seconds until its MIG Manager's copy of the layout file is current; a patch of its pod makes it
        current at once."""
        self.exec_refused: set[str] = set()
        """Nodes whose pods do not allow `exec`."""
        self.never_terminating: set[str] = set()
        """Pods that do not end after their eviction."""
        self.refused_evictions: dict[str, int] = {}
        """Pod → how many evictions its disruption budget, which has the pod's name, still refuses."""
        self.reports_allocations = False
        """Whether the probes report which pod has which GPU; :attr:`placed` then decides which one."""
        self.placed: dict[str, int] = {}
        """Pod → the GPU on which it has its slice."""
        self.strategy = Strategy.MIXED
        """The device plugin's MIG strategy; see :meth:`change_strategy`."""
        self.manager_file = labels.LAYOUTS_CONFIG_MAP
        """The ConfigMap that MIG Manager reads; see :meth:`mount`."""
        self._numbers = itertools.count(1)
        self._uids = itertools.count(1)
        self.objects |= {PROBE_DAEMON_SET: {"spec": {"template": {"spec": {}}}}, PROBE_ACCOUNT: {}}
        self.write_layout_file(DENSE, WIDE)
        for name in names:
            self.add(name)

    def write_layout_file(self, *layouts: Layout) -> None:
        """Write the ConfigMap that MIG Manager reads."""
        self.config_map(OPERATOR, labels.LAYOUTS_CONFIG_MAP, {labels.LAYOUTS_KEY: parted.dump(layouts)})

    def mount(self, config_map: str) -> None:
        """The operator restarts every MIG Manager with another ConfigMap: each applies its node's config again."""
        self.manager_file = config_map
        for node in self.nodes:
            del self.pods[self.operand(node, MANAGER)]
            self._restart(node, MANAGER)

    def change_strategy(self, strategy: Strategy) -> None:
        """The operator restarts every device plugin and GFD with another strategy."""
        self.strategy = strategy
        for name, per_gpu in self.per_gpu.items():
            self.partition(name, per_gpu)

    def add(self, name: str, config: str = labels.ALL_DISABLED) -> None:
        """A node that has this config already, without our annotations."""
        node_labels = {
            labels.CAPABLE: "true",
            labels.PRODUCT: PRODUCT,
            labels.CONFIG: config,
            labels.STATE: "success",
            f"{labels.DEPLOY_PREFIX}mig-manager": "true",
            f"{labels.DEPLOY_PREFIX}device-plugin": "true",
        }
        self.nodes[name] = self.versioned(
            {
                "metadata": {"name": name, "uid": self.new_uid(), "labels": node_labels, "annotations": {}},
                "spec": {},
                "status": {"allocatable": {}, "conditions": [{"type": "Ready", "status": "True"}]},
            }
        )
        self.start_operand(name, MANAGER)
        self.start_operand(name, PLUGIN)
        self.partition(name, self.declared(config))

    def new_uid(self) -> str:
        """Of a new object."""
        return f"uid-{next(self._uids)}"

    def replace(self, name: str) -> None:
        """Another node has the name of one that left, with pods, MIG Manager and probe of its own."""
        self.remove(name)
        self.add(name)

    def remove(self, name: str) -> None:
        """The node leaves the cluster, with its pods and its probe's report."""
        del self.nodes[name]
        self.pods = {key: pod for key, pod in self.pods.items() if pod["spec"].get("nodeName") != name}
        self.config_maps.pop((PROBES, labels.REPORT_PREFIX + name), None)

    def partition(self, name: str, per_gpu: PerGpu) -> None:
        """Change a node's slices; the kubelet, GFD and the probe follow."""
        self.per_gpu[name] = [None if profiles is None else dict(profiles) for profiles in per_gpu]
        if name not in self.stale_plugins:
            self.register(name)
        metadata = self.nodes[name]["metadata"]
        others = {key: value for key, value in metadata["labels"].items() if not key.endswith(".count")}
        profile = gfd.single_profile(self.per_gpu[name], self.strategy)
        product = {labels.PRODUCT: PRODUCT + (f"{gfd.SLICE_PRODUCT}{profile}" if profile else "")}
        metadata["labels"] = {**others, **product, **gfd.expected_labels(self.per_gpu[name], self.strategy)}
        self.report(name)

    def register(self, name: str) -> None:
        """The device plugin registers the node's slices with the kubelet."""
        advertised = allocatable(self.strategy, self.per_gpu[name])
        self.nodes[name]["status"]["allocatable"] = {key: str(n) for key, n in advertised.items()}

    def report(self, name: str, **changes: Any) -> None:
        """The probe writes its report; ``changes`` are fields of :class:`Report`."""
        metadata = self.nodes[name]["metadata"]
        facts: dict[str, Any] = {
            "node": name,
            "driver_version": "580.126.09",
            "config": metadata["labels"].get(labels.CONFIG),
            "state": metadata["labels"].get(labels.STATE),
            "attempt": metadata["annotations"].get(labels.ATTEMPT),
            "gpus": tuple(a_gpu(index, profiles) for index, profiles in enumerate(self.per_gpu[name])),
        }
        if self.reports_allocations:
            facts["allocations"] = self.allocations(name)
        if name not in self.stopped_probes:
            text = Report(**{**facts, **changes}).to_json()
            self.config_map(PROBES, labels.REPORT_PREFIX + name, {labels.REPORT_KEY: text})
            written = {"manager": labels.PROBE, "time": self.time()}
            self.config_maps[PROBES, labels.REPORT_PREFIX + name]["metadata"]["managedFields"] = [written]

    def allocations(self, node: str) -> tuple[Allocation, ...]:
        """What the kubelet allocated to the pods of :attr:`placed` on a node: the GPU's first instance, or the GPU."""
        found = []
        for (namespace, name), pod in sorted(self.pods.items()):
            if pod["spec"].get("nodeName") == node and name in self.placed:
                gpu = self.placed[name]
                instance = 7 if self.per_gpu[node][gpu] else None
                resource = next(iter(pod["spec"]["containers"][0]["resources"]["limits"]))
                found.append(Allocation(namespace, name, resource, gpu, instance, None if instance is None else 0))
        return tuple(found)

    def time(self) -> str:
        """The API server's clock, in whole seconds."""
        return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=int(self.clock.now))).isoformat()

    def remove_report(self, name: str) -> None:
        self.config_maps.pop((PROBES, labels.REPORT_PREFIX + name), None)

    def probe_pod(self, node: str, **status: Any) -> str:
        """The probe's pod on a node, with this status; returns its name."""
        name = f"{labels.PROBE}-{node}"
        self.pods[PROBES, name] = {
            "metadata": {"name": name, "namespace": PROBES, "labels": {"app.kubernetes.io/name": labels.PROBE}},
            "spec": {"containers": [{"name": "probe"}], "nodeName": node},
            "status": {"phase": "Running", **status},
        }
        return name

    def start_operand(self, node: str, app: str) -> None:
        """Create the pod of an operand's DaemonSet on a node."""
        name = f"{app}--{node}--{next(self._numbers)}"
        self.pods[OPERATOR, name] = {
            "metadata": {"name": name, "namespace": OPERATOR, "uid": self.new_uid(), "labels": {"app": app}},
            "spec": {"containers": [{"name": app}], "nodeName": node},
            "status": {"phase": "Running"},
        }
        if app == MANAGER:
            spec = self.pods[OPERATOR, name]["spec"]
            spec["containers"][0]["volumeMounts"] = [{"name": "layouts", "mountPath": "/mig-parted-config"}]
            spec["volumes"] = [{"name": "layouts", "configMap": {"name": self.manager_file}}]

    def operand(self, node: str, app: str) -> tuple[str, str]:
        """Namespace and name of an operand's pod on a node."""
        return next(key for key in self.pods if key[0] == OPERATOR and key[1].startswith(f"{app}--{node}--"))

    def config_map(self, namespace: str, name: str, data: Mapping[str, str]) -> None:
        self.config_maps[namespace, name] = {"metadata": {"name": name, "namespace": namespace}, "data": dict(data)}

    def pod(
        self, name: str, node: str = "", owner: str = "Deployment", resource: str = "nvidia.com/mig-1g.10gb"
    ) -> None:
        """A user's pod with one slice. Without a node it is not scheduled; without an owner no controller creates it
        again.
        """
        owners = {"Deployment": [{"kind": "ReplicaSet", "name": f"{name}-5d8f", "controller": True}], "": []}
        self.pods["team", name] = {
            "metadata": {
                "name": name,
                "namespace": "team",
                "uid": self.new_uid(),
                "creationTimestamp": self.time(),
                "labels": {"app": name, "pod-template-hash": "5d8f"},
                "ownerReferences": owners.get(owner, [{"kind": owner, "name": name, "controller": True}]),
            },
            "spec": {"containers": [{"name": "main", "resources": {"limits": {resource: "1"}}}], "nodeName": node},
            "status": {"phase": "Running" if node else "Pending"},
        }

    def taint(self, name: str, key: str) -> None:
        """Another client adds a taint to a node."""
        taints = self.nodes[name]["spec"].get("taints") or []
        self.patch(name, {"spec": {"taints": [*taints, {"key": key, "effect": "NoSchedule"}]}})

    def cordon(self, name: str) -> None:
        """Another client cordons a node."""
        self.patch(name, {"spec": {"unschedulable": True}})

    def label(self, name: str, key: str, value: str | None) -> None:
        """Another client writes a label of a node; MIG Manager reacts to the config label."""
        self.patch(name, {"metadata": {"labels": {key: value}}})

    # How the nodes behave.

    def pause(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def node_written(self, name: str, before: Json) -> None:
        found, former = self.nodes[name]["metadata"]["labels"], before["metadata"]["labels"]
        if found.get(labels.CONFIG) != former.get(labels.CONFIG):
            self._apply(name)
        plugin = f"{labels.DEPLOY_PREFIX}device-plugin"
        if (found.get(plugin), former.get(plugin)) == ("true", labels.PAUSED):
            self.clock.after(1, lambda: self.register(name))

    def pause_operands(self, name: str) -> None:
        """MIG Manager finishes a change without restoring what it paused for it; the node then offers no GPU."""
        for operand in PAUSED_OPERANDS:
            self.label(name, labels.DEPLOY_PREFIX + operand, labels.PAUSED)
        self.nodes[name]["status"]["allocatable"] = {}

    def pod_written(self, namespace: str, name: str) -> None:
        """The kubelet synchronises the volumes of a pod that was changed."""
        self.synced_after_s.pop(self.pods[namespace, name]["spec"]["nodeName"], None)

    def pod_deleted(self, namespace: str, pod: Json) -> None:
        if namespace == OPERATOR:
            self.clock.after(1, lambda: self._restart(pod["spec"]["nodeName"], pod["metadata"]["labels"]["app"]))

    def evict(self, namespace: str, name: str) -> None:
        if self.refused_evictions.get(name):
            self.refused_evictions[name] -= 1
            cause = f"The disruption budget {name} needs 2 healthy pods and has 2 currently"
            raise TooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", (cause,))
        self.pods[namespace, name]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        if name not in self.never_terminating:
            self.clock.after(WORK_S, lambda: self.pods.pop((namespace, name), None))

    def execute(self, namespace: str, pod: str, command: list[str]) -> tuple[int, str]:
        """Exit status and output of mig-parted in a MIG Manager's pod, for its copy of the layout file."""
        node = self.pods[namespace, pod]["spec"]["nodeName"]
        if node in self.exec_refused:
            raise ClusterError(f"{command[0]} could not be run in pod {namespace}/{pod}: Forbidden")
        if self.synced_after_s.get(node, 0.0) > self.clock.slept or command[-1] not in self._file().configs:
            return 1, f"Error selecting MIG config: selected mig-config not present: {command[-1]}"
        return 0, ""

    def declared(self, config: str) -> list[dict[str, int] | None]:
        """The slices of a node's GPUs under a config of the layout file; MIG off if the file does not have it."""
        if config not in self._file().configs:
            return [None] * GPUS_PER_NODE
        entries = [self._file().for_gpu(config, H100, index) for index in range(GPUS_PER_NODE)]
        return [dict(entry.mig_devices) if entry and entry.mig_enabled else None for entry in entries]

    def _file(self) -> parted.PartedFile:
        return _read(self.config_maps[OPERATOR, self.manager_file]["data"][labels.LAYOUTS_KEY])

    def _restart(self, node: str, app: str) -> None:
        if node in self.nodes:
            self.start_operand(node, app)
            if app == MANAGER:
                self._apply(node)
            else:
                self.register(node)

    def _apply(self, name: str) -> None:
        """MIG Manager works on a config when the label's value changes, and when it starts."""
        config, outcomes = self.configs()[name], self.manager_outcomes.setdefault(name, [SUCCEEDS])
        outcome = outcomes.pop(0) if len(outcomes) > 1 else outcomes[0]

        def begin() -> None:
            if self.configs().get(name) != config:
                return
            is_applied = outcome == SUCCEEDS and self.per_gpu[name] == self.declared(config)
            self.label(name, labels.STATE, "success" if is_applied else "pending")
            self.report(name) if is_applied else self.clock.after(WORK_S - 1, finish)

        def finish() -> None:
            if self.configs().get(name) == config and outcome != STAYS_PENDING:
                self._finish(name, config, outcome)

        self.clock.after(1, begin)

    def _finish(self, name: str, config: str, outcome: str) -> None:
        self.label(name, labels.STATE, "failed" if outcome == FAILS else "success")
        per_gpu = self.declared(config)
        if outcome == CREATES_NOTHING:
            per_gpu = [None if profiles is None else {} for profiles in per_gpu]
        elif outcome == LOSES_ONE:
            per_gpu = [*per_gpu[:-1], {profile: n - 1 for profile, n in (per_gpu[-1] or {}).items()}]
        self.partition(name, self.per_gpu[name] if outcome == FAILS else per_gpu)


@lru_cache
def _read(text: str) -> parted.PartedFile:
    return parted.read(yaml.safe_load(text))


def a_gpu(index: int, profiles: Mapping[str, int] | None, **changes: Any) -> Gpu:
    """A GPU as a report has it, with the slices ``profiles``; ``None`` is MIG off. ``changes`` are fields of
    :class:`Gpu`.
    """
    names = [name for name, n in (profiles or {}).items() for _ in range(n)]
    facts: dict[str, Any] = {
        "index": index,
        "uuid": f"GPU-{index}",
        "pci_id": H100,
        "product": "NVIDIA H100 80GB HBM3",
        "memory_mib": 81559,
        "mig_mode_current": profiles is not None,
        "mig_mode_pending": profiles is not None,
        "instances": tuple(Instance(n + 7, name, n, 1, (ComputeInstance(0, name, 1),)) for n, name in enumerate(names)),
    }
    return Gpu(**{**facts, **changes})

"""A fleet in memory that remembers: nodes whose MIG Manager acts, operands that follow, and pods that leave or do not.

Everything starts compliant: two H100 a node, all operands there, MIG off for as long as anybody can remember. A test
breaks one thing.
"""

import itertools
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import yaml

from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.errors import ClusterError, TooManyRequests
from mig_fleet.model import gfd, labels, parted
from mig_fleet.model.layouts import Layout
from mig_fleet.model.report import ComputeInstance, Gpu, Instance, Report
from mig_fleet.model.strategy import Strategy, allocatable
from tests.memory.api import Api
from tests.memory.clock import Clock

DENSE = Layout.parse("dense", {"gpu": "H100-80GB", "all": {"1g.10gb": 7}})
WIDE = Layout.parse("wide", {"gpu": "H100-80GB", "all": {"3g.40gb": 2}})
OPERATOR, PROBES = "gpu-operator", "mig-fleet"
MANAGER, PLUGIN = "nvidia-mig-manager", "nvidia-device-plugin-daemonset"
H100, A100 = "0x233010DE", "0x20B510DE"
GPUS_PER_NODE = 2

WORK_S = 5.0
"""How long a MIG Manager takes, and a pod that was told to leave."""

SUCCEEDS, FAILS, STAYS_PENDING = "succeeds", "fails", "stays pending"
CREATES_NOTHING, LOSES_ONE = "says success and created nothing", "says success with a slice too few"
"""What a MIG Manager makes of the next config that it is given."""

Cuts = list[dict[str, int] | None]


class Fleet(Api):
    """Nodes with two GPUs each, under one operator."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.clock = Clock()
        self.cuts: dict[str, Cuts] = {}
        """Node → what NVML has."""
        self.manager: dict[str, list[str]] = {}
        """Node → what its MIG Manager does next; the last one for ever."""
        self.stale_plugin: set[str] = set()
        """Nodes whose device plugin looks again only when it starts."""
        self.silent_probe: set[str] = set()
        self.sees_after_s: dict[str, float] = {}
        """Node → seconds until its MIG Manager's copy of the layout file is new, if nobody touches its pod."""
        self.exec_refused: set[str] = set()
        self.stays: set[str] = set()
        """Pods that do not leave when they are told to."""
        self.budget: dict[str, int] = {}
        """Pod → so often its eviction is refused."""
        self._numbers = itertools.count(1)
        self.serve(DENSE, WIDE)
        for name in names:
            self.add(name)

    def serve(self, *layouts: Layout) -> None:
        """These layouts stand in the file that MIG Manager reads."""
        self.config_map(OPERATOR, labels.LAYOUTS_CONFIG_MAP, {labels.LAYOUTS_KEY: parted.dump(layouts)})

    def add(self, name: str, config: str = labels.ALL_DISABLED) -> None:
        """A node that was given a config some time ago, by nobody in particular."""
        carried = {
            labels.CAPABLE: "true",
            labels.PRODUCT: "NVIDIA-H100-80GB-HBM3",
            labels.CONFIG: config,
            labels.STATE: "success",
            f"{labels.DEPLOY_PREFIX}mig-manager": "true",
            f"{labels.DEPLOY_PREFIX}device-plugin": "true",
        }
        self.nodes[name] = self.renewed(
            {
                "metadata": {"name": name, "labels": carried, "annotations": {}},
                "spec": {},
                "status": {"allocatable": {}, "conditions": [{"type": "Ready", "status": "True"}]},
            }
        )
        self.start(name, MANAGER)
        self.start(name, PLUGIN)
        self.cut(name, self.declared(config))

    def remove(self, name: str) -> None:
        """The node leaves, with its pods and its probe's report."""
        del self.nodes[name]
        self.pods = {key: pod for key, pod in self.pods.items() if pod["spec"].get("nodeName") != name}
        self.config_maps.pop((PROBES, labels.REPORT_PREFIX + name), None)

    def cut(self, name: str, cuts: Iterable[Mapping[str, int] | None]) -> None:
        """What NVML has on a node from now on; the kubelet, GFD and the probe follow."""
        self.cuts[name] = [None if profiles is None else dict(profiles) for profiles in cuts]
        if name not in self.stale_plugin:
            self.register(name)
        metadata = self.nodes[name]["metadata"]
        others = {key: value for key, value in metadata["labels"].items() if not key.endswith(".count")}
        metadata["labels"] = {**others, **gfd.agreed(self.cuts[name], Strategy.MIXED)}
        self.report(name)

    def register(self, name: str) -> None:
        """The device plugin tells the kubelet what there is."""
        offered = allocatable(Strategy.MIXED, self.cuts[name])
        self.nodes[name]["status"]["allocatable"] = {key: str(n) for key, n in offered.items()}

    def report(self, name: str, **changes: Any) -> None:
        """The probe writes what it sees; ``changes`` are fields of the report."""
        metadata = self.nodes[name]["metadata"]
        facts: dict[str, Any] = {
            "node": name,
            "driver_version": "580.126.09",
            "config": metadata["labels"].get(labels.CONFIG),
            "state": metadata["labels"].get(labels.STATE),
            "attempt": metadata["annotations"].get(labels.ATTEMPT),
            "gpus": tuple(a_gpu(index, profiles) for index, profiles in enumerate(self.cuts[name])),
        }
        if name not in self.silent_probe:
            text = Report(**{**facts, **changes}).to_json()
            self.config_map(PROBES, labels.REPORT_PREFIX + name, {labels.REPORT_KEY: text})

    def start(self, node: str, app: str) -> None:
        """A pod of an operand's DaemonSet begins; what it does then is another matter."""
        name = f"{app}--{node}--{next(self._numbers)}"
        self.pods[OPERATOR, name] = {
            "metadata": {"name": name, "namespace": OPERATOR, "labels": {"app": app}},
            "spec": {"containers": [{"name": app}], "nodeName": node},
            "status": {"phase": "Running"},
        }

    def config_map(self, namespace: str, name: str, data: Mapping[str, str]) -> None:
        self.config_maps[namespace, name] = {"metadata": {"name": name, "namespace": namespace}, "data": dict(data)}

    def pod(self, name: str, node: str = "", owner: str = "Deployment", asks: str = "nvidia.com/mig-1g.10gb") -> None:
        """A user's pod with one slice. Without a node it waits for one; without an owner nobody starts it again."""
        owners = {"Deployment": [{"kind": "ReplicaSet", "name": f"{name}-5d8f", "controller": True}], "": []}
        self.pods["team", name] = {
            "metadata": {
                "name": name,
                "namespace": "team",
                "labels": {"pod-template-hash": "5d8f"},
                "ownerReferences": owners.get(owner, [{"kind": owner, "name": name, "controller": True}]),
            },
            "spec": {"containers": [{"name": "main", "resources": {"limits": {asks: "1"}}}], "nodeName": node},
            "status": {"phase": "Running" if node else "Pending"},
        }

    def taint(self, name: str, key: str) -> None:
        """Somebody keeps pods away from a node."""
        there = self.nodes[name]["spec"].get("taints") or []
        self.patch(name, {"spec": {"taints": [*there, {"key": key, "effect": "NoSchedule"}]}})

    def label(self, name: str, key: str, value: str | None) -> None:
        """Somebody writes a label of a node; of its config, MIG Manager takes notice."""
        self.patch(name, {"metadata": {"labels": {key: value}}})

    # How the nodes behave.

    def node_written(self, name: str, before: Json) -> None:
        if self.nodes[name]["metadata"]["labels"].get(labels.CONFIG) != before["metadata"]["labels"].get(labels.CONFIG):
            self._apply(name)

    def pod_written(self, namespace: str, name: str) -> None:
        """The kubelet synchronises the volumes of a pod that was changed."""
        self.sees_after_s.pop(self.pods[namespace, name]["spec"]["nodeName"], None)

    def pod_deleted(self, namespace: str, pod: Json) -> None:
        if namespace == OPERATOR:
            self.clock.after(1, lambda: self._restart(pod["spec"]["nodeName"], pod["metadata"]["labels"]["app"]))

    def evict(self, namespace: str, name: str) -> None:
        if self.budget.get(name):
            self.budget[name] -= 1
            raise TooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.")
        self.pods[namespace, name]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        if name not in self.stays:
            self.clock.after(WORK_S, lambda: self.pods.pop((namespace, name), None))

    def execute(self, namespace: str, pod: str, command: list[str]) -> tuple[int, str]:
        """What mig-parted in a MIG Manager's pod says of its copy of the file."""
        node = self.pods[namespace, pod]["spec"]["nodeName"]
        if node in self.exec_refused:
            raise ClusterError(f"{command[0]} could not be run in pod {namespace}/{pod}: Forbidden")
        if self.sees_after_s.get(node, 0.0) > self.clock.slept or command[-1] not in self._file().configs:
            return 1, f"Error selecting MIG config: selected mig-config not present: {command[-1]}"
        return 0, ""

    def declared(self, config: str) -> Cuts:
        """What the layout file makes of a node's GPUs."""
        if config not in self._file().configs:
            return [None] * GPUS_PER_NODE
        entries = [self._file().for_gpu(config, H100, index) for index in range(GPUS_PER_NODE)]
        return [dict(entry.mig_devices) if entry and entry.mig_enabled else None for entry in entries]

    def _file(self) -> parted.PartedFile:
        return _read(self.config_maps[OPERATOR, labels.LAYOUTS_CONFIG_MAP]["data"][labels.LAYOUTS_KEY])

    def _restart(self, node: str, app: str) -> None:
        if node in self.nodes:
            self.start(node, app)
            if app == MANAGER:
                self._apply(node)
            else:
                self.register(node)

    def _apply(self, name: str) -> None:
        """MIG Manager acts on a config that changed, and on its own start."""
        config, plan = self.configs()[name], self.manager.setdefault(name, [SUCCEEDS])
        outcome = plan.pop(0) if len(plan) > 1 else plan[0]
        self.clock.after(1, lambda: self._is(name, config) and self.label(name, labels.STATE, "pending"))
        self.clock.after(WORK_S, lambda: self._is(name, config) and self._end(name, config, outcome))

    def _is(self, name: str, config: str) -> bool:
        return name in self.nodes and self.configs()[name] == config

    def _end(self, name: str, config: str, outcome: str) -> None:
        if outcome == STAYS_PENDING:
            return
        self.label(name, labels.STATE, "failed" if outcome == FAILS else "success")
        cuts = self.declared(config)
        if outcome == CREATES_NOTHING:
            cuts = [None if profiles is None else {} for profiles in cuts]
        elif outcome == LOSES_ONE:
            cuts = [*cuts[:-1], {profile: n - 1 for profile, n in (cuts[-1] or {}).items()}]
        self.cut(name, self.cuts[name] if outcome == FAILS else cuts)


@lru_cache
def _read(text: str) -> parted.PartedFile:
    return parted.read(yaml.safe_load(text))


def a_gpu(index: int, profiles: Mapping[str, int] | None, **changes: Any) -> Gpu:
    """A GPU as NVML shows it, with so many slices of each profile; None is MIG off."""
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

"""Four simulated nodes with NVIDIA's operands and our probes on them, and the way back to where every fault begins."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml

from mig_fleet.cluster.client import Cluster
from mig_fleet.components.pool import PoolArgs, expectation
from mig_fleet.model import labels, parted
from mig_fleet.model.layouts import Layout
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.differences import differences
from mig_fleet.observed.snapshot import Look, look
from mig_fleet.simulator import CHARTS, Fleet
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.errors import ApiError
from tests.faults.installed import DAEMON_SETS, REPORTS, an_operand, collection, layout_file, probe_objects
from tests.simulator.site import NAMESPACE, OPERANDS, Site, deployment

GPU, GPUS = "H100-80GB", 2
FIRST, SECOND, OTHER = ("node-1", "node-2"), ("node-3",), "node-9"
"""The pool's two waves, and a node that belongs to nobody's stack."""
POOL = (*FIRST, *SECOND)
NODES = (*POOL, OTHER)
NAME = "train"
WAVES = dict.fromkeys(FIRST, f"{NAME}-wave-00") | dict.fromkeys(SECOND, f"{NAME}-wave-01")
PLUGIN, GFD, MANAGER = "nvidia-device-plugin-daemonset", "gpu-feature-discovery", "nvidia-mig-manager"

OLD = Layout.uniform("notebooks", GPU, {"1g.10gb": 7})
NEW = Layout.uniform("training", GPU, {"3g.40gb": 2})
RENAMED = Layout.uniform("seminar", GPU, {"1g.10gb": 7})
"""What the pool is; what it shall become; and the same slices under another name, where a fault is not about GPUs: each
step of the rollout is taken, and MIG Manager has nothing to do."""
SPARSE = Layout.uniform("sparse", GPU, {"3g.40gb": 1})
"""Leaves room on each GPU."""
FILE = parted.dump([OLD, NEW, RENAMED, SPARSE])

PLAYED = tuple(f"simulator.mig-fleet.dev/{note}" for note in ("faults", "nvml-errors", "reboot"))
"""Annotations by which the simulator is told what to play."""

FLEET = f"""
nodes: [{", ".join(f"{{name: {name}, gpu: {GPU}, gpus: {GPUS}}}" for name in NODES)}]
timing: {{podStart: 0.02, podStop: 0.02, configMapPropagation: 0.05, modeChange: 0.02, apply: 0.1, gfdInterval: 0.1,
  operandTimeout: 20, restartBackoff: 0.2}}
"""
SCHEDULED_S = 10.0
"""The controller and the scheduler together take a fraction of a second."""
NOT_YET = (404, 409)
"""A kind that is not served yet, an object that is still there."""
MIXED = Strategy("mixed")
SEVEN = {"1g.10gb": 7}


EXPECTED = {
    layout.name: expectation(
        PoolArgs(
            cluster={},
            namespace=NAMESPACE,
            reports=REPORTS,
            gpu=GPU,
            gpus_per_node=GPUS,
            nodes=[],
            layout=layout,
            strategy=MIXED,
        )
    )
    for layout in (OLD, NEW, RENAMED, SPARSE)
}


@dataclass
class Ground:
    """The fleet; :meth:`reset` brings the whole pool back to :data:`OLD`, verified."""

    fleet: Fleet
    site: Site = field(init=False)

    def __post_init__(self) -> None:
        self.site = Site(self.fleet)

    def install(self) -> None:
        """Operands as the chart installs them with our values, probes as `MigProbe` does."""
        create = self.site.create
        crd = yaml.safe_load((CHARTS / "gpu-operator" / "crds" / "clusterpolicies.yaml").read_text())
        create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        create(f"/api/v1/namespaces/{NAMESPACE}/configmaps", layout_file(FILE))
        policy = {
            "apiVersion": "nvidia.com/v1",
            "kind": "ClusterPolicy",
            "metadata": {"name": "cluster-policy"},
            "spec": {"migManager": {"config": {"default": labels.ALL_DISABLED}}},
        }
        self.site.eventually(lambda: self._created("/apis/nvidia.com/v1/clusterpolicies", policy), "the CRD is served")
        for app in OPERANDS:
            create(DAEMON_SETS, an_operand(app))
        create(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", deployment("gpu-operator"))
        for body in probe_objects():
            create(collection(body), body)
        for node in NODES:
            self.site.settled(node, labels.ALL_DISABLED)
        self.reset()

    def reset(self) -> None:
        """Where every fault begins. The quick way: what the driver has and what the labels say is written at once."""
        for name in set(NODES) - set(self.fleet.node_names()):
            self.join(name)
        self._write_layouts()
        seen = self.seen()
        for name in NODES:
            self._restore(name, self.cluster.node(name), self.is_at(seen, name, OLD))
        self._staff()
        self.eventually(lambda seen: all(self.is_at(seen, name, OLD) for name in NODES), f"all are at {OLD.name}")

    def join(self, name: str) -> None:
        """A new machine of that name; returns when it is labelled and its GPUs are offered whole."""
        self.fleet.join_node({"name": name, "gpu": GPU, "gpus": GPUS})
        self.site.settled(name, labels.ALL_DISABLED)

    @cached_property
    def cluster(self) -> Cluster:
        """Past the bad API, and one connection for all."""
        return Cluster({"kubeconfig": str(self.fleet.kubeconfig)})

    def seen(self) -> Look:
        """The fleet as the product sees it at this moment."""
        return look({"kubeconfig": str(self.fleet.kubeconfig)}, REPORTS, fresh=True)

    def is_at(self, seen: Look, name: str, layout: Layout) -> bool:
        """Whether label, state, report, kubelet and GFD say so, and the driver, which nobody of ours asks but NVML."""
        driver = self.fleet.driver(name)
        cuts = [dict(gpu.counts()) if gpu.mode else None for gpu in driver.gpus]
        return not differences(EXPECTED[layout.name], name, seen.nodes.get(name)) and cuts == list(layout.per_gpu(GPUS))

    def eventually(self, is_so: Callable[[Look], object], what: str) -> None:
        """Fails after half a minute, which nothing here should ever need."""
        self.site.eventually(lambda: is_so(self.seen()) or time.sleep(0.1), what)

    def pods(self, app: str, node: str) -> list[str]:
        found = self.cluster.pods_on(node)
        return [pod["metadata"]["name"] for pod in found if (pod["metadata"].get("labels") or {}).get("app") == app]

    def start_over(self, app: str, node: str) -> None:
        """Delete the operand's pod on a node; its DaemonSet starts another one."""
        for pod in self.pods(app, node):
            self.cluster.delete_pod(NAMESPACE, pod)

    def end_probe(self, node: str) -> None:
        """End the probe of a node at once."""
        for pod in self.cluster.pods_on(node):
            if pod["metadata"]["namespace"] == REPORTS:
                path = f"/api/v1/namespaces/{REPORTS}/pods/{pod['metadata']['name']}"
                self.fleet.call("delete", path, {"gracePeriodSeconds": 0})

    def _staff(self) -> None:
        """Every operand runs on every node. A controller that lost count of a DaemonSet's pods creates none for five
        minutes (kubernetes pkg/controller/controller_utils.go, ExpectationsTimeout); one that is made anew takes over
        the pods that there are.
        """
        deadline = time.monotonic() + SCHEDULED_S
        while (missing := self._unstaffed()) and time.monotonic() < deadline:
            time.sleep(0.1)
        for app in missing:
            self.abandon(app)
            self.site.eventually(lambda app=app: self._created(DAEMON_SETS, an_operand(app)), f"{app} is made anew")
        self.site.eventually(lambda: not self._unstaffed(), "every operand runs everywhere")

    def abandon(self, app: str) -> None:
        """Take an operand's DaemonSet away, if there is one, and leave its pods."""
        with suppress(ApiError):
            self.fleet.call("delete", f"{DAEMON_SETS}/{app}", {"propagationPolicy": "Orphan"})

    def _unstaffed(self) -> list[str]:
        pods = self.fleet.call("get", f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
        there = {((pod["metadata"].get("labels") or {}).get("app"), pod["spec"].get("nodeName")) for pod in pods}
        return [app for app in OPERANDS if any((app, node) not in there for node in NODES)]

    def _write_layouts(self) -> None:
        self.cluster.write_config_map(NAMESPACE, labels.LAYOUTS_CONFIG_MAP, {labels.LAYOUTS_KEY: FILE})

    def _restore(self, name: str, node: Json, right: bool) -> None:
        notes = {key: node["metadata"]["annotations"].get(key) for key in PLAYED}
        if right and marks_of(node) == marks(name) and not node["spec"].get("taints") and not any(notes.values()):
            return
        driver = self.fleet.driver(name)
        cut = all(gpu.mode and gpu.pending and gpu.counts() == SEVEN and not gpu.clients for gpu in driver.gpus)
        if not cut:
            self._recut(name)
        found = node["metadata"]["labels"]
        same = found.get(labels.CONFIG) == OLD.config_name
        operands = {f"{labels.DEPLOY_PREFIX}{deploy}": "true" for deploy in OPERANDS.values()}
        wanted = {labels.CONFIG: OLD.config_name, labels.CAPABLE: "true", **operands}
        if not right:
            wanted[labels.STATE] = None
        noted: dict[str, Any] = dict.fromkeys((*marks_of(node), *PLAYED)) | marks(name)
        body = {"metadata": {"labels": wanted, "annotations": noted}, "spec": {"taints": None, "unschedulable": None}}
        self.cluster.call("PATCH", f"/api/v1/nodes/{name}", None, body, "application/merge-patch+json")
        # The manager reacts to a changed value and to its own start, the plugin looks when it starts.
        if not right and (same or found.get(labels.STATE) != "success"):
            self.start_over(MANAGER, name)
        if not cut or self.site.offered(name) != OLD.allocatable(GPUS, MIXED):
            self.start_over(PLUGIN, name)

    def _recut(self, name: str) -> None:
        with self.fleet.driver_file(name).change() as driver:
            for gpu in driver.gpus:
                gpu.clients.clear()
                gpu.set_mode(True)
                gpu.clear()
                for _ in range(7):
                    gpu.create("1g.10gb")

    def _created(self, path: str, body: Json) -> bool:
        try:
            self.site.create(path, body)
        except ApiError as exc:
            assert exc.status in NOT_YET, exc
            return False
        return True


def marks(name: str) -> dict[str, str]:
    """Our annotations on a node that was verified as :data:`OLD`; the attempts go on counting."""
    if name == OTHER:
        return {}
    return {
        labels.WAVE: WAVES[name],
        labels.PREVIOUS_CONFIG: labels.ALL_DISABLED,
        labels.VERIFIED_CONFIG: OLD.config_name,
    }


def marks_of(node: Json) -> dict[str, str]:
    """Our annotations on a node, without the count of attempts."""
    notes = node["metadata"].get("annotations") or {}
    return {key: value for key, value in notes.items() if key.startswith("mig-fleet.dev/") and key != labels.ATTEMPT}

"""The scenario in which every fault begins: four simulated nodes with NVIDIA's operands and our probes on them."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import yaml

from mig_fleet.cluster.client import Cluster
from mig_fleet.model import labels, parted
from mig_fleet.model.layouts import Layout
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.differences import node_differences
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.operands import DEVICE_PLUGIN, MIG_MANAGER, pod_uids
from mig_fleet.observed.snapshot import Snapshot, observe
from mig_fleet.simulator import CHARTS, Fleet
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.operands.reconfiguration import RESTORED
from tests.faults.installation import DAEMON_SETS, REPORTS, collection, layout_file, operand, probe_objects, worker
from tests.simulator.site import NAMESPACE, OPERANDS, Site, deployment

GPU, GPUS = "H100-80GB", 2
FIRST_WAVE, SECOND_WAVE, OTHER_NODE = ("node-1", "node-2"), ("node-3",), "node-9"
"""The pool's two waves, and a node that no stack declares."""
POOL = (*FIRST_WAVE, *SECOND_WAVE)
NODES = (*POOL, OTHER_NODE)
POOL_NAME = "train"
OWNER = "5e1f0a2b3c4d organization/mig-fleet/fleet"
"""The stack that every fault begins with, as it is recorded."""
WAVES = dict.fromkeys(FIRST_WAVE, f"{POOL_NAME}-wave-00") | dict.fromkeys(SECOND_WAVE, f"{POOL_NAME}-wave-01")

OLD = Layout.uniform("notebooks", GPU, {"1g.10gb": 7})
NEW = Layout.uniform("training", GPU, {"3g.40gb": 2})
RENAMED = Layout.uniform("seminar", GPU, {"1g.10gb": 7})
"""The pool's layout; the one that it gets; and the same slices under another name, for which no GPU is touched."""
FEWER = Layout.uniform("fewer", GPU, {"1g.10gb": 6})
"""For faults that are not about GPUs: every GPU changes, so each step of the rollout is taken, and pods that lose their
slice find another one."""
SPARSE = Layout.uniform("sparse", GPU, {"3g.40gb": 1})
"""Leaves free slices on each GPU."""
ONE_GPU = Layout.parse(
    "one-gpu",
    {
        "gpu": GPU,
        "gpus": [{"devices": [0], "profiles": {"1g.10gb": 7}}, {"devices": [1], "profiles": {"3g.40gb": 2}}],
    },
)
"""Changes GPU 1 and leaves GPU 0 as it is in :data:`OLD`."""
LAYOUTS = (OLD, NEW, RENAMED, FEWER, SPARSE, ONE_GPU)
FILE = parted.dump(LAYOUTS)

SIMULATOR_ANNOTATIONS = tuple(f"simulator.mig-fleet.dev/{key}" for key in ("faults", "nvml-errors", "reboot"))
"""Node annotations that hold the simulator's faults."""

FLEET = f"""
nodes: [{", ".join(f"{{name: {name}, gpu: {GPU}, gpus: {GPUS}}}" for name in NODES)}]
timing: {{podStart: 0.02, podStop: 0.02, configMapPropagation: 0.05, modeChange: 0.02, apply: 0.1, gfdInterval: 0.1,
  operandTimeout: 20, restartBackoff: 0.2}}
"""
SCHEDULED_S = 10.0
"""The controller and the scheduler together take a fraction of a second."""
RETRIED_STATUSES = (404, 409)
"""A kind that is not served yet, an object that still exists."""
MIXED = Strategy("mixed")
SEVEN_SLICES = {"1g.10gb": 7}

EXPECTED = {layout.name: Expected.of_layout(layout, GPUS, MIXED) for layout in LAYOUTS}


@dataclass
class Scenario:
    """The simulated fleet; :meth:`reset` returns the whole pool to :data:`OLD`, verified."""

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
            "spec": required_parts(crd) | {"migManager": {"config": {"default": labels.ALL_DISABLED}}},
        }
        self.site.eventually(lambda: self._created("/apis/nvidia.com/v1/clusterpolicies", policy), "the CRD is served")
        create(DAEMON_SETS, worker())
        for app in OPERANDS:
            create(DAEMON_SETS, operand(app))
        create(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", deployment("gpu-operator"))
        for body in probe_objects():
            create(collection(body), body)
        for node in NODES:
            self.site.wait_for_success(node, labels.ALL_DISABLED)
        self.reset()

    def reset(self) -> None:
        """Return to the state in which every fault begins. For speed, drivers and labels are written directly."""
        for name in set(NODES) - set(self.fleet.node_names()):
            self.join(name)
        self._write_layouts()
        seen = self.observe()
        nodes = {node["metadata"]["name"]: node for node in self.cluster.get("/api/v1/nodes")["items"]}
        for name in NODES:
            is_ready = self.has_layout(seen, name, OLD) and not self._has_succeeded(name)
            self._reset_node(name, nodes[name], is_ready)
        self._restore_operands()
        self.eventually(
            lambda seen: all(self.has_layout(seen, name, OLD) for name in NODES), f"all nodes have {OLD.name}"
        )

    def join(self, name: str) -> None:
        """Add a machine of that name; returns when it is labelled and offers whole GPUs."""
        self.fleet.join_node({"name": name, "gpu": GPU, "gpus": GPUS})
        self.site.wait_for_success(name, labels.ALL_DISABLED)

    @property
    def cluster(self) -> Cluster:
        """The API server without faults."""
        return self.site.cluster

    def observe(self) -> Snapshot:
        """The fleet as the product observes it now."""
        return observe({"kubeconfig": str(self.fleet.kubeconfig)}, REPORTS, fresh=True)

    def has_layout(self, seen: Snapshot, name: str, layout: Layout) -> bool:
        """Whether label, state, report, kubelet and GFD show the layout, and the driver has it. The product reads the
        driver only through NVML.
        """
        driver = self.fleet.driver(name)
        per_gpu = [dict(gpu.counts()) if gpu.mode else None for gpu in driver.gpus]
        found = node_differences(EXPECTED[layout.name], name, seen.nodes.get(name))
        return not found and per_gpu == list(layout.per_gpu(GPUS))

    def eventually(self, is_so: Callable[[Snapshot], object], what: str) -> None:
        """Wait for a snapshot; fails after half a minute."""

        def check() -> bool:
            if is_so(self.observe()):
                return True
            time.sleep(0.1)
            return False

        self.site.eventually(check, what)

    def pods(self, app: str, node: str) -> list[str]:
        found = self.cluster.pods_on(node)
        return [pod["metadata"]["name"] for pod in found if (pod["metadata"].get("labels") or {}).get("app") == app]

    def restart(self, app: str, node: str) -> None:
        """Delete the operand's pod on a node; its DaemonSet creates another one."""
        for name, uid in pod_uids(self.cluster.pods_on(node), NAMESPACE, app).items():
            self.cluster.delete_pod(NAMESPACE, name, uid)

    def delete_probe(self, node: str) -> None:
        """Delete the probe's pod on a node, without a grace period."""
        for pod in self.cluster.pods_on(node):
            if pod["metadata"]["namespace"] == REPORTS:
                path = f"/api/v1/namespaces/{REPORTS}/pods/{pod['metadata']['name']}"
                with suppress(ApiError):  # of a pod that its DaemonSet deleted meanwhile
                    self.fleet.call("delete", path, {"gracePeriodSeconds": 0})

    def probe_has_crashed(self, node: str) -> bool:
        """Whether the probe's pod on a node ended with an error, and is not being deleted."""
        pods = [pod for pod in self.cluster.pods_on(node) if pod["metadata"]["namespace"] == REPORTS]
        ended = [pod for pod in pods if "'exitCode': 1" in str(pod["status"].get("containerStatuses"))]
        return bool(ended) and not any("deletionTimestamp" in pod["metadata"] for pod in pods)

    def delete_daemon_set(self, app: str) -> None:
        """Delete an operand's DaemonSet, if it exists, but not its pods."""
        with suppress(ApiError):
            self.fleet.call("delete", f"{DAEMON_SETS}/{app}", {"propagationPolicy": "Orphan"})

    def _restore_operands(self) -> None:
        """Return when every operand runs on every node. A controller that lost count of a DaemonSet's pods creates none
        for five minutes (kubernetes pkg/controller/controller_utils.go, ExpectationsTimeout); a DaemonSet that is
        created again adopts the pods that exist.
        """
        deadline = time.monotonic() + SCHEDULED_S
        while (missing := self._missing_operands()) and time.monotonic() < deadline:
            time.sleep(0.1)
        for app in missing:
            self._create_daemon_set_again(app)
        self.site.eventually(lambda: not self._missing_operands(), "every operand runs on every node")

    def _create_daemon_set_again(self, app: str) -> None:
        self.delete_daemon_set(app)
        self.site.eventually(lambda: self._created(DAEMON_SETS, operand(app)), f"DaemonSet {app} is created again")

    def _missing_operands(self) -> list[str]:
        """Operands without a pod on at least one node."""
        pods = self.cluster.get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
        there = {((pod["metadata"].get("labels") or {}).get("app"), pod["spec"].get("nodeName")) for pod in pods}
        return [app for app in OPERANDS if any((app, node) not in there for node in NODES)]

    def _write_layouts(self) -> None:
        owner = {labels.OWNER: OWNER}
        self.cluster.write_config_map(NAMESPACE, labels.LAYOUTS_CONFIG_MAP, {labels.LAYOUTS_KEY: FILE}, owner)

    def _reset_node(self, name: str, node: Json, has_layout: bool) -> None:
        simulated = [node["metadata"]["annotations"].get(key) for key in SIMULATOR_ANNOTATIONS]
        is_owned = our_annotations(node) == verified_annotations(name)
        if has_layout and is_owned and not node["spec"].get("taints") and not any(simulated):
            return
        driver = self.fleet.driver(name)
        is_partitioned = all(
            gpu.mode and gpu.pending and gpu.counts() == SEVEN_SLICES and not gpu.clients for gpu in driver.gpus
        )
        if not is_partitioned:
            self._partition(name)
        operands = {f"{labels.DEPLOY_PREFIX}{deploy}": "true" for deploy in OPERANDS.values()}
        node_labels: dict[str, str | None] = {labels.CONFIG: OLD.config_name, labels.CAPABLE: "true", **operands}
        if not has_layout:
            node_labels[labels.STATE] = None
        annotations: dict[str, Any] = {
            **dict.fromkeys((*our_annotations(node), *SIMULATOR_ANNOTATIONS)),
            **verified_annotations(name),
        }
        body = {
            "metadata": {"labels": node_labels, "annotations": annotations},
            "spec": {"taints": None, "unschedulable": None},
        }
        self.cluster.call("PATCH", f"/api/v1/nodes/{name}", None, body, "application/merge-patch+json")
        # A process of MIG Manager that has succeeded before ends a failure in another way; the device plugin reads the
        # GPUs when it starts.
        if not has_layout:
            self.restart(MIG_MANAGER, name)
        if not is_partitioned or self.site.offered(name) != OLD.allocatable(GPUS, MIXED):
            self.restart(DEVICE_PLUGIN, name)

    def _has_succeeded(self, name: str) -> bool:
        """Whether a process of the node's MIG Manager has changed the GPUs since it started."""
        logs = self.fleet.directory / "nodes" / name / "logs"
        files = (logs / f"{pod}.log" for pod in self.pods(MIG_MANAGER, name))
        return any(RESTORED in file.read_text() for file in files if file.exists())

    def _partition(self, name: str) -> None:
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
            assert exc.status in RETRIED_STATUSES, exc
            return False
        return True


def required_parts(crd: Json) -> Json:
    """The parts without which the API server refuses a ClusterPolicy, each with its defaults."""
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return {part: {} for part in schema["properties"]["spec"]["required"]}


def verified_annotations(name: str) -> dict[str, str]:
    """Our annotations on a node that was verified with :data:`OLD`, without the count of attempts."""
    if name == OTHER_NODE:
        return {}
    return {
        labels.WAVE: WAVES[name],
        labels.OWNER: OWNER,
        labels.PREVIOUS_CONFIG: labels.ALL_DISABLED,
        labels.VERIFIED_CONFIG: OLD.config_name,
    }


def our_annotations(node: Json) -> dict[str, str]:
    """Our annotations on a node, without the count of attempts, which is never reset."""
    annotations = node["metadata"].get("annotations") or {}
    ours = (key for key in annotations if key.startswith("mig-fleet.dev/") and key != labels.ATTEMPT)
    return {key: annotations[key] for key in ours}

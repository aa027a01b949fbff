"""One run of a fault: the fleet, the API server with faults, the stack, and the actions that the table uses."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mig_fleet.model import labels
from mig_fleet.model.layouts import Layout
from mig_fleet.model.report import Report
from mig_fleet.observed.operands import MIG_MANAGER
from mig_fleet.observed.snapshot import Snapshot
from mig_fleet.simulator import Fault as NodeFault
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.driver import Driver
from mig_fleet.simulator.faulty_api import FaultyApi
from mig_fleet.simulator.faulty_api.rules import ApiFault
from tests.faults.scenario import POOL, WAVES, Scenario, our_annotations
from tests.faults.stack import Stack
from tests.simulator.site import NAMESPACE

NODE = "/api/v1/nodes/{}$"
EXEC = "/pods/[^/]+/exec$"
EVICTION = "/pods/[^/]+/eviction$"
NODE_LIST, POD_LIST, REPORT_LIST = "^/api/v1/nodes$", "^/api/v1/pods$", "/configmaps$"
LAYOUT_FILE = f"/configmaps/{labels.LAYOUTS_CONFIG_MAP}$"

ISOLATE = r'"taints": \[.*mig-fleet\.dev/reconfiguring'
LABEL = r'"nvidia\.com/mig\.config": "'
RECORD = r'"mig-fleet\.dev/verified-config": "'
RESTORE = r'"taints": null'
RELEASE = r'"mig-fleet\.dev/wave": null'
"""Patterns for the bodies of our writes to a node, in the order of a successful change; the last one releases it."""


@dataclass
class FaultRun:
    """Actions with short names."""

    scenario: Scenario
    api: FaultyApi
    stack: Stack
    has_pods: bool = False

    @property
    def fleet(self) -> Fleet:
        return self.scenario.fleet

    def inject(self, fault: NodeFault, *nodes: str) -> None:
        for node in nodes:
            self.fleet.inject(node, fault)

    def clear_faults(self, *nodes: str) -> None:
        for node in nodes:
            self.fleet.clear_faults(node)

    def patch(self, node: str, body: Json, status: bool = False) -> None:
        self.fleet.call("patch", f"/api/v1/nodes/{node}{'/status' if status else ''}", body)

    def label(self, node: str, **changed: str | None) -> None:
        """Change labels under ``nvidia.com/``; ``mig_config`` is ``mig.config``."""
        self.patch(node, {"metadata": {"labels": {f"nvidia.com/{k.replace('_', '.')}": v for k, v in changed.items()}}})

    def is_ready(self, node: str) -> bool:
        conditions = self.scenario.cluster.node(node)["status"]["conditions"]
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def change_driver(self, node: str, change: Callable[[Driver], object]) -> None:
        """Change the GPUs directly, as `nvidia-smi` on the node does."""
        with self.fleet.driver_file(node).change() as driver:
            change(driver)

    def reboot(self, node: str) -> None:
        """Start a reboot; :meth:`mig_fleet.simulator.Fleet.reboot` waits until the node is back."""
        self.patch(node, {"metadata": {"annotations": {"simulator.mig-fleet.dev/reboot": str(time.monotonic_ns())}}})

    def before_write(self, write: str, node: str, do: Callable[[], object]) -> None:
        """Call ``do`` right before the product's next such write to a node."""
        self.api.when("PATCH", NODE.format(node), do, body=write)

    def after_write(self, write: str, node: str, do: Callable[[], object]) -> None:
        """Call ``do`` at a snapshot soon after such a write to a node."""
        self.before_write(write, node, lambda: self.api.when("GET", NODE_LIST, do, skip=2))

    def wait_until_not_mounted(self, layout: Layout) -> None:
        """Wait until no MIG Manager of the pool has the layout in its own copy of the layout file."""
        file = f"/mig-parted-config/{labels.LAYOUTS_KEY}"
        command = ["nvidia-mig-parted", "assert", "--valid-config", "-f", file, "-c", layout.config_name]

        def has_layout(node: str) -> bool:
            pods = self.scenario.pods(MIG_MANAGER, node)
            return any(self.scenario.cluster.execute(NAMESPACE, pod, command)[0] == 0 for pod in pods)

        self.eventually(lambda: not any(map(has_layout, POOL)), f"{layout.name} is in no mounted layout file")

    def fail_write(self, write: str, node: str, fault: ApiFault, times: int | None = None) -> None:
        """Let such writes to a node fail."""
        self.api.answer("PATCH", NODE.format(node), fault, times=times, body=write)

    def run_pod(self, node: str, name: str = "notebook", **options: Any) -> str:
        """A user's pod with a slice of the old layout."""
        self.has_pods = True
        return self.fleet.run_pod(node, {"nvidia.com/mig-1g.10gb": 1}, name=name, **options)

    def delete_pods(self) -> None:
        """Delete the users' pods, if there are any."""
        if self.has_pods:
            self.fleet.user_pods.clear()
            self.has_pods = False

    def isolated(self) -> list[str]:
        """Nodes that have our taint or our cordon."""
        return [name for name, node in self.nodes().items() if _is_isolated(node)]

    def configs(self) -> dict[str, str]:
        return {name: node["metadata"]["labels"].get(labels.CONFIG, "") for name, node in self.nodes().items()}

    def nodes(self) -> dict[str, Json]:
        """The pool's nodes that are in the cluster."""
        found = {node["metadata"]["name"]: node for node in self.scenario.cluster.get("/api/v1/nodes")["items"]}
        return {name: found[name] for name in POOL if name in found}

    def differences(self, layout: Layout) -> list[str]:
        """What is not as the stack declares, without waiting."""
        seen, found = self.scenario.observe(), []
        for name, node in self.nodes().items():
            annotations = node["metadata"]["annotations"]
            if not self.has_layout(name, layout, seen):
                found.append(f"{name} does not have {layout.config_name}: {self.configs()[name]}")
            if _is_isolated(node):
                found.append(f"{name} is isolated: {node['spec'].get('taints')}")
            if annotations.get(labels.VERIFIED_CONFIG) != layout.config_name:
                found.append(f"{name} is recorded as verified with {annotations.get(labels.VERIFIED_CONFIG)}")
            if annotations.get(labels.WAVE) != WAVES[name]:
                found.append(f"{name} is owned by wave {annotations.get(labels.WAVE)}")
        return found

    def has_layout(self, node: str, layout: Layout, seen: Snapshot | None = None) -> bool:
        return self.scenario.has_layout(seen or self.scenario.observe(), node, layout)

    def wait_for_layout(self, node: str, layout: Layout) -> None:
        """Wait until label, NVML, kubelet and GFD agree on a node's layout."""
        self.scenario.eventually(
            lambda seen: self.scenario.has_layout(seen, node, layout), f"{node} has layout {layout.name}"
        )

    def wait_for_report(self, node: str, is_so: Callable[[Report], object]) -> None:
        """Wait until the probe reports it."""
        self.scenario.eventually(
            lambda seen: (report := seen.nodes[node].report) and is_so(report), f"the probe of {node} reports it"
        )

    def eventually(self, is_so: Callable[[], object], what: str) -> None:
        self.scenario.site.eventually(is_so, what)

    def our_annotations(self, node: str) -> dict[str, str]:
        return our_annotations(self.nodes()[node])


def _is_isolated(node: Json) -> bool:
    taints = {taint["key"] for taint in node["spec"].get("taints") or []}
    return labels.TAINT in taints or labels.CORDONED in (node["metadata"].get("annotations") or {})

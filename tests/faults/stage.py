"""Where one fault is played: the fleet, the API server's bad side, the stack; and what was seen."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mig_fleet.model import labels
from mig_fleet.model.layouts import Layout
from mig_fleet.model.report import Report
from mig_fleet.observed.snapshot import Look
from mig_fleet.simulator import Fault as NodeFault
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.bad_api import BadApi
from mig_fleet.simulator.bad_api.rules import Trouble
from mig_fleet.simulator.driver import Driver
from tests.faults.ground import POOL, WAVES, Ground, marks_of
from tests.faults.stack import Stack

NODE = "/api/v1/nodes/{}$"
EXEC = "/pods/[^/]+/exec$"
EVICTION = "/pods/[^/]+/eviction$"
NODES, PODS, REPORTS = "^/api/v1/nodes$", "^/api/v1/pods$", "/configmaps$"
FILE = f"/configmaps/{labels.LAYOUTS_CONFIG_MAP}$"

CLOSE = r'"taints": \[.*mig-fleet\.dev/reconfiguring'
LABEL = r'"nvidia\.com/mig\.config": "'
VERIFIED = r'"mig-fleet\.dev/verified-config": "'
OPEN = r'"taints": null'
RELEASE = r'"mig-fleet\.dev/wave": null'
"""Our writes to a node, by their bodies, in the order of a change that goes well; the last one when a wave leaves."""


@dataclass
class Stage:
    """Short words for what the rows of the table do."""

    ground: Ground
    api: BadApi
    stack: Stack
    with_pods: bool = False

    @property
    def fleet(self) -> Fleet:
        return self.ground.fleet

    def inject(self, fault: NodeFault, *nodes: str) -> None:
        for node in nodes:
            self.fleet.inject(node, fault)

    def heal(self, *nodes: str) -> None:
        for node in nodes:
            self.fleet.heal(node)

    def patch(self, node: str, body: Json, status: bool = False) -> None:
        self.fleet.call("patch", f"/api/v1/nodes/{node}{'/status' if status else ''}", body)

    def label(self, node: str, **changed: str | None) -> None:
        """Labels under ``nvidia.com/``; ``mig_config`` is ``mig.config``."""
        self.patch(node, {"metadata": {"labels": {f"nvidia.com/{k.replace('_', '.')}": v for k, v in changed.items()}}})

    def is_ready(self, node: str) -> bool:
        conditions = self.ground.cluster.node(node)["status"]["conditions"]
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def driver(self, node: str, change: Callable[[Driver], object]) -> None:
        """Behind everyone's back."""
        with self.fleet.driver_file(node).change() as driver:
            change(driver)

    def reboot(self, node: str) -> None:
        """Only push the button; :meth:`simulator.Fleet.reboot` waits until the node is back."""
        self.patch(node, {"metadata": {"annotations": {"simulator.mig-fleet.dev/reboot": str(time.monotonic_ns())}}})

    def at(self, write: str, node: str, do: Callable[[], object]) -> None:
        """Do something right before a write to a node."""
        self.api.when("PATCH", NODE.format(node), do, body=write)

    def after(self, write: str, node: str, do: Callable[[], object]) -> None:
        """Do something at a look soon after a write to a node."""
        self.at(write, node, lambda: self.api.when("GET", NODES, do, skip=2))

    def settle(self) -> None:
        """Wait until every manager sees the layout file as it is now."""
        time.sleep(0.3)

    def refuse(self, write: str, node: str, status: Trouble, times: int | None = None) -> None:
        """Trouble for a write to a node."""
        self.api.answer("PATCH", NODE.format(node), status, times=times, body=write)

    def run(self, node: str, name: str = "notebook", **how: Any) -> str:
        """A user's pod with a slice of the old layout."""
        self.with_pods = True
        return self.fleet.run_pod(node, {"nvidia.com/mig-1g.10gb": 1}, name=name, **how)

    def closed(self) -> list[str]:
        """Nodes that carry our taint or our cordon."""
        return [name for name, node in self.nodes().items() if _is_closed(node)]

    def configs(self) -> dict[str, str]:
        return {name: node["metadata"]["labels"].get(labels.CONFIG, "") for name, node in self.nodes().items()}

    def nodes(self) -> dict[str, Json]:
        """The pool's nodes that are in the cluster."""
        found = self.ground.cluster.nodes()
        return {name: found[name] for name in POOL if name in found}

    def converged(self, layout: Layout) -> list[str]:
        """What is not as the stack says; nothing that lags is waited for."""
        seen, wrong = self.ground.seen(), []
        for name, node in self.nodes().items():
            notes = node["metadata"]["annotations"]
            if not self.is_at(name, layout, seen):
                wrong.append(f"{name} is not at {layout.config_name}: {self.configs()[name]}")
            if _is_closed(node):
                wrong.append(f"{name} is closed: {node['spec'].get('taints')}")
            if notes.get(labels.VERIFIED_CONFIG) != layout.config_name:
                wrong.append(f"{name} is verified as {notes.get(labels.VERIFIED_CONFIG)}")
            if notes.get(labels.WAVE) != WAVES[name]:
                wrong.append(f"{name} is marked as of wave {notes.get(labels.WAVE)}")
        return wrong

    def is_at(self, node: str, layout: Layout, seen: Look | None = None) -> bool:
        return self.ground.is_at(seen or self.ground.seen(), node, layout)

    def until_at(self, node: str, layout: Layout) -> None:
        """Wait until everybody agrees that a node has a layout."""
        self.ground.eventually(lambda seen: self.ground.is_at(seen, node, layout), f"{node} is at {layout.name}")

    def until_reported(self, node: str, is_so: Callable[[Report], object]) -> None:
        """Wait for what the probe says."""
        self.ground.eventually(lambda seen: (r := seen.nodes[node].report) and is_so(r), f"the probe of {node} saw it")

    def eventually(self, look: Callable[[], object], what: str) -> None:
        self.ground.site.eventually(look, what)

    def marks(self, node: str) -> dict[str, str]:
        """Our annotations on a node."""
        return marks_of(self.nodes()[node])

    def clear(self) -> None:
        """Take the users' pods away, if there are any."""
        if self.with_pods:
            self.fleet.user_pods.clear()
            self.with_pods = False


def _is_closed(node: Json) -> bool:
    taints = {taint["key"] for taint in node["spec"].get("taints") or []}
    return labels.TAINT in taints or labels.CORDONED in (node["metadata"].get("annotations") or {})

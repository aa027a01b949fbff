"""Which pods recovery deleted, as the API server received it, and whether it handled one node at a time."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from mig_fleet.model.layouts import Layout
from mig_fleet.observed.operands import DEVICE_PLUGIN, MIG_MANAGER
from mig_fleet.rollout.remedy import Remedy
from tests.faults.fault_run import FaultRun

POD = "/pods/[^/]+$"
APPS = {
    Remedy.RESTART_MANAGER: MIG_MANAGER,
    Remedy.RESTORE_AND_RESTART: MIG_MANAGER,
    Remedy.RESTART_PLUGIN: DEVICE_PLUGIN,
}
"""The operand that a remedy restarts."""


@dataclass
class RemedyWatch:
    """Active from :meth:`start` until the API server's rules are reset."""

    run: FaultRun
    layout: Layout
    """The layout of a node after a remedy."""
    used: list[str] = field(default_factory=list)
    """``nvidia-mig-manager on node-1``, in order."""
    overlapping: list[str] = field(default_factory=list)
    """Nodes that were still being recovered when a remedy was used on another one."""

    def start(self) -> None:
        self.run.api.when("DELETE", POD, self._record, times=None)

    def _record(self) -> None:
        """Called before the pod is deleted; only recovery deletes pods through this API server."""
        pod = self.run.fleet.call("get", self.run.api.calls("DELETE", POD)[-1].path)
        node = pod["spec"]["nodeName"]
        others = {each.rpartition(" ")[2] for each in self.used} - {node}
        self.overlapping += [each for each in sorted(others) if not self.run.has_layout(each, self.layout)]
        self.used.append(f"{pod['metadata']['labels']['app']} on {node}")


def remedies_in(lines: Iterable[str]) -> list[str]:
    """The remedies that a user reads of, in the form of :attr:`RemedyWatch.used`."""
    lines = list(lines)
    found = ((app, re.match(rf"(\S+): {remedy}\b", line)) for line in lines for remedy, app in APPS.items())
    return [f"{app} on {match[1]}" for app, match in found if match]

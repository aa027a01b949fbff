"""What recovery did, as the API server saw it: which pods it ended, and whether one node was helped at a time."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from mig_fleet.model.layouts import Layout
from mig_fleet.rollout.recovery import Remedy
from tests.faults.ground import MANAGER, PLUGIN
from tests.faults.stage import Stage

POD = "/pods/[^/]+$"
APPS = {Remedy.START_OVER: MANAGER, Remedy.RESTORE: MANAGER, Remedy.PLUGIN: PLUGIN}
"""Whose pod each remedy starts over."""


@dataclass
class Remedies:
    """Watched from :meth:`watch` on, until the API server is well again."""

    stage: Stage
    layout: Layout
    """What a node has that was helped."""
    used: list[str] = field(default_factory=list)
    """``nvidia-mig-manager on node-1``, in order."""
    overlapping: list[str] = field(default_factory=list)
    """Nodes that were still to come right when another one was helped."""

    def watch(self) -> None:
        self.stage.api.when("DELETE", POD, self._see, times=None)

    def _see(self) -> None:
        """Before the pod is gone; nobody but recovery deletes any by way of this API server."""
        pod = self.stage.fleet.call("get", self.stage.api.calls("DELETE", POD)[-1].path)
        node = pod["spec"]["nodeName"]
        helped = {each.rpartition(" ")[2] for each in self.used} - {node}
        self.overlapping += [each for each in sorted(helped) if not self.stage.is_at(each, self.layout)]
        self.used.append(f"{pod['metadata']['labels']['app']} on {node}")


def told(lines: Iterable[str]) -> list[str]:
    """What a user reads of remedies, in the words of :attr:`Remedies.used`."""
    lines = list(lines)
    found = ((app, re.match(rf"(\S+): {remedy}\b", line)) for line in lines for remedy, app in APPS.items())
    return [f"{app} on {match[1]}" for app, match in found if match]

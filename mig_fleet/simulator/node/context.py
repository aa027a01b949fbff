"""What a running container has at hand."""

import datetime
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mig_fleet.simulator.node.mounts import Mounts
from mig_fleet.simulator.node.node import SimulatedNode
from mig_fleet.simulator.node.pod import Pod

if TYPE_CHECKING:
    from mig_fleet.simulator.node.kubelet import Kubelet


@dataclass(frozen=True, slots=True)
class Context:
    """One container's surroundings, from its start until its pod goes."""

    node: SimulatedNode
    kubelet: "Kubelet"
    pod: Pod
    mounts: Mounts

    @property
    def environment(self) -> dict[str, str]:
        return self.pod.environment(self.node.name)

    def say(self, line: str) -> None:
        """One line for the pod's log."""
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self.node.log_file(self.pod.name).open("a") as log:
            log.write(f"{stamp} {line}\n")


Behaviour = Callable[[Context], Awaitable[int]]
"""What a container does; returns its exit status, or is cancelled when the pod goes."""

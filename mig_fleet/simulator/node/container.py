"""A running container, and the type of what runs in it."""

import datetime
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mig_fleet.simulator.node.mounts import Mounts
from mig_fleet.simulator.node.node import SimulatedNode
from mig_fleet.simulator.node.node_pods import NodePods
from mig_fleet.simulator.node.pod import Pod


@dataclass(frozen=True, slots=True)
class Container:
    """The first container of a pod, from its start until the pod is deleted."""

    node: SimulatedNode
    pods: NodePods
    """All pods of the node."""
    pod: Pod
    mounts: Mounts
    reboot_node: Callable[[], None]
    """Starts a reboot of the node; this container ends too."""

    @property
    def environment(self) -> dict[str, str]:
        return self.pod.environment(self.node.name)

    def log(self, line: str) -> None:
        """Write one line to the pod's log."""
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self.node.log_file(self.pod.name).open("a") as log:
            log.write(f"{stamp} {line}\n")


Behaviour = Callable[[Container], Awaitable[int]]
"""What a container does. Returns the container's exit status; cancelled when the pod is deleted."""

BehaviourOf = Callable[[Pod], Behaviour]
"""Selects the behaviour of a pod's container. The kubelet gets it as an argument and knows no behaviour itself."""

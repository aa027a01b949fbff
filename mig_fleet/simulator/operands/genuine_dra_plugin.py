"""The kubelet plugin of NVIDIA's DRA driver as a process of this machine, in place of the simulated one.

No fault of the simulated one applies to it. It prepares no claims: the simulated kubelet gives pods their devices.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from mig_fleet.simulator.genuine import dra_plugin
from mig_fleet.simulator.node.container import Container
from mig_fleet.simulator.operands.process import execute


@dataclass(frozen=True, slots=True)
class GenuineDraPlugin:
    """Runs the program of the plugin's container; :meth:`run` is its behaviour."""

    nvml: Path
    """Folder with ``libnvidia-ml.so.1``."""
    programs: Path
    """Folder with NVIDIA's programs."""
    kubeconfig: Path

    async def run(self, container: Container) -> int:
        """Start the program and return its exit status; killed when the pod is deleted."""
        node = container.node
        # The paths of sockets are short; those of a fleet's folder may be long.
        with tempfile.TemporaryDirectory(prefix="dra-") as root:
            program = self.programs / dra_plugin.PROGRAM
            command = dra_plugin.command(Path(root), program, node.name, node.driver_file, self.nvml, self.kubeconfig)
            return await execute(container, command, {}, Path(root))

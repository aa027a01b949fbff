"""NVIDIA's own MIG Manager as a process of this machine, in place of the simulated one.

It gets what its container would get: the node's PCI devices and kernel modules, its configuration file, the address of
the API server with an administrator's rights, a D-Bus, and nvidia-mig-parted; the NVML library sends its changes to the
simulated driver. Faults of the simulated MIG Manager and short timeouts do not apply to it, and it reboots no node.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mig_fleet.simulator.driver.control_socket import CONTROL_VARIABLE, control_socket
from mig_fleet.simulator.driver.library import reading
from mig_fleet.simulator.genuine import node_files
from mig_fleet.simulator.genuine.namespace import command_inside
from mig_fleet.simulator.genuine.system_bus import system_bus
from mig_fleet.simulator.node.container import Container
from mig_fleet.simulator.operands.process import execute, local_path
from mig_fleet.simulator.operands.reconfiguration import CONFIG_FILE

MANAGER: Final = "nvidia-mig-manager"
PARTED: Final = "nvidia-mig-parted"


@dataclass(frozen=True, slots=True)
class GenuineManager:
    """Runs the program of MIG Manager's container; :meth:`run` is its behaviour."""

    nvml: Path
    """Folder with ``libnvidia-ml.so.1``."""
    programs: Path
    """Folder with NVIDIA's programs."""
    kubeconfig: Path

    async def run(self, container: Container) -> int:
        """Start the program and return its exit status; killed when the pod is deleted."""
        node = container.node
        # The paths of sockets are short; those of a fleet's folder may be long.
        with tempfile.TemporaryDirectory(prefix="mig-host-") as root, control_socket(node.driver_file) as control:
            folder = Path(root, "node")
            node_files.write(folder, node.driver)
            mounts = container.mounts.write_to(Path(root, "volumes"))
            settings = {"CONFIG_FILE": CONFIG_FILE, **container.environment}
            own = {name: local_path(value, mounts) for name, value in settings.items()}
            environment = {
                **own,
                "PATH": str(self.programs),
                "KUBECONFIG": str(self.kubeconfig),
                "NODE_NAME": node.name,
                "HOST_ROOT_MOUNT": root,
                "DEFAULT_GPU_CLIENTS_NAMESPACE": container.pod.namespace,
                **reading(self.nvml, node.driver_file),
                CONTROL_VARIABLE: str(control),
            }
            command = command_inside(folder, [str(self.programs / MANAGER)], environment)
            async with system_bus(Path(root)):
                return await execute(container, command, {}, folder)

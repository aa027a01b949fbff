"""The probe as a process of this machine, in an environment like that of its pod.

It gets what a container would get: its ConfigMaps as files, a token of its own service account from the API server (so
its RBAC is exercised), the node's name, the folder with the socket of the kubelet, and by ``LD_LIBRARY_PATH`` a
``libnvidia-ml.so.1`` that reports its driver.
"""

import asyncio
import contextlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from mig_fleet.model.allocation import POD_RESOURCES
from mig_fleet.simulator import clock
from mig_fleet.simulator.driver.library import reading
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.files import write_private
from mig_fleet.simulator.node.container import Container
from mig_fleet.simulator.node.pod_resources_server import served
from mig_fleet.simulator.operands.process import execute, local_path

CREDENTIALS_VARIABLE: Final = "MIG_PROBE_CREDENTIALS"
"""Environment variable with the folder of the service account's token, CA and namespace; the process has no
/var/run/secrets."""

TOKEN_LIFETIME_S: Final = 24 * 3600
INTERPRETERS: Final = ("python", "python3")


@dataclass(frozen=True, slots=True)
class ProbeProcess:
    """Runs the command of a pod's container; :meth:`run` is its behaviour."""

    nvml: Path
    """Folder with ``libnvidia-ml.so.1``."""
    wrong_clock: Path
    """Library to preload, for nodes with a wrong clock."""
    authority: bytes
    """CA certificate of the API server, PEM."""
    python: str = sys.executable

    async def run(self, container: Container) -> int:
        """Start the command and return its exit status; killed when the pod is deleted."""
        dead = asyncio.create_task(container.node.wait_for_fault(Fault.PROBE_DEAD))
        program = asyncio.create_task(self._run_program(container))
        try:
            await asyncio.wait((dead, program), return_when=asyncio.FIRST_COMPLETED)
            if dead.done():
                container.log("MemoryError")
                return 1
            return await program
        finally:
            dead.cancel()
            program.cancel()
            await asyncio.wait((program,))

    async def _run_program(self, container: Container) -> int:
        folder = container.node.directory / "pods" / container.pod.uid
        try:
            mounts = container.mounts.write_to(folder / "volumes")
            credentials = folder / "credentials"
            await self._write_credentials(container, credentials)
        except ApiError as exc:
            container.log(f"mounting the service account's token failed: {exc}")
            return 1
        refresh = asyncio.create_task(self._refresh_credentials(container, credentials))
        try:
            async with served(container.node.pod_resources.list) as kubelet:
                for path, host_folder in container.pod.host_folders().items():
                    if host_folder == POD_RESOURCES:
                        mounts[path] = kubelet
                environment = self._environment(container, mounts, credentials)
                return await execute(container, self._command(container, mounts), environment, folder)
        finally:
            refresh.cancel()
            shutil.rmtree(folder, ignore_errors=True)

    def _command(self, container: Container, mounts: dict[str, Path]) -> list[str]:
        spec = container.pod.first_container
        words = [*(spec.get("command") or []), *(spec.get("args") or [])]
        command = [local_path(word, mounts) for word in words]
        if command and command[0] in INTERPRETERS:
            command[0] = self.python
        return command

    def _environment(self, container: Container, mounts: dict[str, Path], credentials: Path) -> dict[str, str]:
        node = container.node
        server = urlsplit(node.api.server)
        own = {name: local_path(value, mounts) for name, value in container.environment.items()}
        return {
            "PATH": os.defpath,
            "PYTHONUNBUFFERED": "1",
            **own,
            "KUBERNETES_SERVICE_HOST": str(server.hostname),
            "KUBERNETES_SERVICE_PORT": str(server.port),
            CREDENTIALS_VARIABLE: str(credentials),
            **reading(self.nvml, node.driver_file),
            clock.VARIABLE: str(node.clock_file),
            "LD_PRELOAD": str(self.wrong_clock),
        }

    async def _write_credentials(self, container: Container, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        pod = container.pod
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "expirationSeconds": TOKEN_LIFETIME_S,
                "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid},
            },
        }
        account = f"/api/v1/namespaces/{pod.namespace}/serviceaccounts/{pod.service_account}"
        answer = await container.node.api.create(f"{account}/token", request)
        write_private(folder / "token", answer["status"]["token"])
        write_private(folder / "namespace", pod.namespace)
        write_private(folder / "ca.crt", self.authority)

    async def _refresh_credentials(self, container: Container, folder: Path) -> None:
        """Write a new token at half of its lifetime, as kubelets do."""
        while True:
            await asyncio.sleep(TOKEN_LIFETIME_S / 2)
            with contextlib.suppress(ApiError):
                await self._write_credentials(container, folder)

"""Containers that are really run: the probe, as a process of this machine that believes to be in its pod.

It gets what a container would get: its ConfigMaps as files, a token of its own service account from the API server (so
its RBAC is exercised), the node's name, and by ``LD_LIBRARY_PATH`` a ``libnvidia-ml.so.1`` that serves its driver.
"""

import asyncio
import contextlib
import os
import shutil
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from mig_fleet.simulator import clock
from mig_fleet.simulator.control_plane.process import die_with
from mig_fleet.simulator.driver.library import STATE_VARIABLE
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.files import write_private
from mig_fleet.simulator.node.context import Context

CREDENTIALS_VARIABLE: Final = "MIG_PROBE_CREDENTIALS"
"""Tells the process where its service account's token, CA and namespace are; it has no /var/run/secrets."""

TOKEN_LIFETIME_S: Final = 24 * 3600
INTERPRETERS: Final = ("python", "python3")


async def run(context: Context) -> int:
    """Start the container's command, return its exit status; killed when the pod goes."""
    dead = asyncio.create_task(context.node.until_played(Fault.PROBE_DEAD))
    life = asyncio.create_task(_live(context))
    try:
        await asyncio.wait((dead, life), return_when=asyncio.FIRST_COMPLETED)
        if dead.done():
            context.say("MemoryError")
            return 1
        return await life
    finally:
        dead.cancel()
        life.cancel()
        await asyncio.wait((life,))


async def _live(context: Context) -> int:
    folder = context.node.directory / "pods" / context.pod.uid
    try:
        places = context.mounts.materialise(folder / "volumes")
        credentials = folder / "credentials"
        await _write_credentials(context, credentials)
    except ApiError as exc:
        context.say(f"mounting the service account's token failed: {exc}")
        return 1
    refresh = asyncio.create_task(_refresh(context, credentials))
    try:
        return await _execute(context, _command(context, places), _environment(context, places, credentials), folder)
    finally:
        refresh.cancel()
        shutil.rmtree(folder, ignore_errors=True)


async def _execute(context: Context, command: list[str], environment: dict[str, str], folder: Path) -> int:
    with context.node.log_file(context.pod.name).open("ab") as log:
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=folder,
            start_new_session=True,
            preexec_fn=die_with(os.getpid()),
        )
    try:
        return await child.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            # The whole group: the probe reads NVML in a process of its own.
            os.killpg(child.pid, 9)
        with contextlib.suppress(asyncio.CancelledError):
            await child.wait()


def _command(context: Context, places: dict[str, Path]) -> list[str]:
    container = context.pod.container
    words = [*(container.get("command") or []), *(container.get("args") or [])]
    rewritten = [_relocated(word, places) for word in words]
    if rewritten and rewritten[0] in INTERPRETERS:
        rewritten[0] = context.node.cluster.python
    return rewritten


def _environment(context: Context, places: dict[str, Path], credentials: Path) -> dict[str, str]:
    cluster = context.node.cluster
    server = urlsplit(cluster.api.server)
    own = {name: _relocated(value, places) for name, value in context.environment.items()}
    return {
        "PATH": os.defpath,
        "PYTHONUNBUFFERED": "1",
        **own,
        "KUBERNETES_SERVICE_HOST": str(server.hostname),
        "KUBERNETES_SERVICE_PORT": str(server.port),
        CREDENTIALS_VARIABLE: str(credentials),
        STATE_VARIABLE: str(context.node.driver_file.path),
        "LD_LIBRARY_PATH": str(cluster.nvml),
        clock.VARIABLE: str(context.node.clock_file),
        "LD_PRELOAD": str(cluster.wrong_clock),
    }


def _relocated(text: str, places: dict[str, Path]) -> str:
    """Paths of the container's mounts as paths of this machine; the longest mount first, as mounts nest."""
    for place in sorted(places, key=len, reverse=True):
        if text == place or text.startswith(place + "/"):
            return str(places[place]) + text[len(place) :]
    return text


async def _write_credentials(context: Context, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pod = context.pod
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {
            "expirationSeconds": TOKEN_LIFETIME_S,
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid},
        },
    }
    account = f"/api/v1/namespaces/{pod.namespace}/serviceaccounts/{pod.service_account}"
    answer = await context.node.cluster.api.create(f"{account}/token", request)
    write_private(folder / "token", answer["status"]["token"])
    write_private(folder / "namespace", pod.namespace)
    write_private(folder / "ca.crt", context.node.cluster.authority)


async def _refresh(context: Context, folder: Path) -> None:
    """A new token at half-time, as kubelets do."""
    while True:
        await asyncio.sleep(TOKEN_LIFETIME_S / 2)
        with contextlib.suppress(ApiError):
            await _write_credentials(context, folder)

"""A container's program as a process of this machine, which ends with the container."""

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mig_fleet.simulator.control_plane.process import die_with
from mig_fleet.simulator.node.container import Container


async def execute(container: Container, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> int:
    """Run a program with its output in the pod's log; returns its exit status. Killed if the task is cancelled."""
    with container.node.log_file(container.pod.name).open("ab") as log:
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
            preexec_fn=die_with(os.getpid()),
        )
    try:
        return await child.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            # The whole process group: a program may have started others.
            os.killpg(child.pid, 9)
        with contextlib.suppress(asyncio.CancelledError):
            await child.wait()


def local_path(text: str, mounts: Mapping[str, Path]) -> str:
    """Translate a path of the container's mounts to a path of this machine; the longest mount first, as mounts nest."""
    for mount in sorted(mounts, key=len, reverse=True):
        if text == mount or text.startswith(mount + "/"):
            return str(mounts[mount]) + text[len(mount) :]
    return text

"""Starting and stopping the process that a running fleet is."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mig_fleet.simulator.control_plane.process import die_with
from mig_fleet.simulator.errors import NotRunning, NotStarted
from mig_fleet.simulator.fleet_file import GIVEN, FleetFile
from mig_fleet.simulator.running import ALREADY_RUNNING, Status, holder

START_WITHIN_S: Final = 120
STOP_WITHIN_S: Final = 10
LOOK_EVERY_S: Final = 0.05

OURS: Final = (
    *("etcd", "pki", "nodes", "logs", "kubeconfig", "status.json", "ports.json", "fleet.yaml", GIVEN, "daemon.log"),
)
"""What a fleet leaves in its folder and stopping it forgets. The compiled libraries and the lock stay."""


def start(
    directory: Path, binaries: Path, fleet_file: Path | None, say: Callable[[str], None], attached: bool
) -> Status:
    """Start the fleet of a folder, or wait for the one that is starting; raises :class:`NotStarted`."""
    if sys.platform != "linux":
        raise NotStarted(f"the simulated fleet needs Linux, and this is {sys.platform}; a container or a VM will do")
    running = holder(directory) is not None
    if fleet_file is not None:
        FleetFile.load(fleet_file)
        if running:
            _refuse_another(directory, fleet_file)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    daemon = None if running else _spawn(directory, binaries, fleet_file, attached)
    deadline, step = time.monotonic() + START_WITHIN_S, ""
    while time.monotonic() < deadline:
        ended = None if daemon is None else daemon.poll()
        if ended not in (None, ALREADY_RUNNING):
            raise NotStarted(Status.read(directory).error or _last_words(directory))
        status = Status.read(directory)
        if holder(directory) == status.pid:
            if status.phase == "ready":
                return status
            if status.step != step:
                step = status.step
                say(step)
        time.sleep(LOOK_EVERY_S)
    raise NotStarted(f"the fleet was not ready after {START_WITHIN_S} s; {_last_words(directory)}")


def stop(directory: Path) -> bool:
    """Stop the fleet of a folder and forget its cluster; whether there was one to stop."""
    pid = holder(directory)
    if pid is not None:
        _end(directory, pid)
    for name in OURS:
        path = directory / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return pid is not None


def _spawn(directory: Path, binaries: Path, fleet_file: Path | None, attached: bool) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mig_fleet.simulator", "serve"]
    command += ["--directory", str(directory.resolve()), "--binaries", str(binaries.resolve())]
    if fleet_file is not None:
        command += ["--fleet", str(fleet_file.resolve())]
    with (directory / "daemon.log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=die_with(os.getpid()) if attached else None,  # noqa: PLW1509 (two system calls)
        )


def _end(directory: Path, pid: int) -> None:
    """Politely, then not: the kernel takes all its children along either way."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        os.kill(pid, number)
        deadline = time.monotonic() + STOP_WITHIN_S
        while time.monotonic() < deadline:
            if holder(directory) != pid:
                return
            time.sleep(LOOK_EVERY_S)
    raise NotRunning(f"process {pid} of the fleet in {directory} cannot be stopped")


def _refuse_another(directory: Path, fleet_file: Path) -> None:
    given = directory / GIVEN
    if given.exists() and given.read_bytes() != fleet_file.read_bytes():
        raise NotStarted(f"a fleet from another file runs in {directory}; stop it first with `mig-fleet fleet down`")


def _last_words(directory: Path) -> str:
    log = directory / "daemon.log"
    lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
    return f"its log {log} ends with\n" + "\n".join(lines)

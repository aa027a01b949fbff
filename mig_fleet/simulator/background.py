"""Starting and stopping the daemon process of a fleet."""

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
from mig_fleet.simulator.running import ALREADY_RUNNING, Status, daemon_pid
from mig_fleet.simulator.temporary_folder import delete_left_behind

START_TIMEOUT_S: Final = 120
STOP_TIMEOUT_S: Final = 10
INTERVAL_S: Final = 0.05
STOP_FIRST: Final = "stop it first with `mig-fleet simulate down`"

FILES: Final = (
    *("etcd", "pki", "nodes", "logs", "prometheus"),
    *("kubeconfig", "status.json", "ports.json", "fleet.yaml", GIVEN, "daemon.log"),
)
"""The files of a fleet in its folder; stopping deletes them. The compiled libraries and the lock remain."""

_children: Final[dict[Path, subprocess.Popen[bytes]]] = {}
"""The daemons that this process started, by folder. The references keep them from being reported as forgotten."""


def start(
    directory: Path,
    binaries: Path,
    fleet_file: Path | None,
    progress: Callable[[str], None],
    *,
    attached: bool,
    genuine: bool,
) -> Status:
    """Start the fleet of a folder, or wait for the one that starts already; returns when it is ready.

    ``progress`` is called with the name of each step. Raises :class:`NotStarted`.
    """
    if sys.platform != "linux":
        raise NotStarted(f"the simulated fleet needs Linux, and this is {sys.platform}; use a container or a VM")
    running = daemon_pid(directory) is not None
    if fleet_file is not None:
        FleetFile.load(fleet_file)
        if running:
            _refuse_other_file(directory, fleet_file)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    daemon = None
    if not running:
        _reap(directory)
        daemon = _children[directory.resolve()] = _spawn(
            directory, binaries, fleet_file, attached=attached, genuine=genuine
        )
    deadline, step = time.monotonic() + START_TIMEOUT_S, ""
    while time.monotonic() < deadline:
        ended = None if daemon is None else daemon.poll()
        if ended not in (None, ALREADY_RUNNING):
            raise NotStarted(Status.read(directory).error or _last_lines(directory))
        status = Status.read(directory)
        if daemon_pid(directory) == status.pid:
            if status.phase == "ready":
                if genuine and not status.genuine:
                    raise NotStarted(f"a fleet without NVIDIA's own programs runs in {directory}; {STOP_FIRST}")
                return status
            if status.step != step:
                step = status.step
                progress(step)
        time.sleep(INTERVAL_S)
    raise NotStarted(f"the fleet was not ready after {START_TIMEOUT_S} s; {_last_lines(directory)}")


def stop(directory: Path) -> bool:
    """Stop the fleet of a folder and delete its cluster's files; returns whether a fleet was running."""
    pid = daemon_pid(directory)
    if pid is not None:
        _end(directory, pid)
    _reap(directory)
    delete_left_behind()
    for name in FILES:
        path = directory / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return pid is not None


def _spawn(
    directory: Path, binaries: Path, fleet_file: Path | None, *, attached: bool, genuine: bool
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mig_fleet.simulator", "serve"]
    command += ["--directory", str(directory.resolve()), "--binaries", str(binaries.resolve())]
    if fleet_file is not None:
        command += ["--fleet", str(fleet_file.resolve())]
    if genuine:
        command += ["--genuine"]
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
    """SIGTERM, then SIGKILL. After either one the kernel also kills the daemon's children."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        os.kill(pid, number)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while time.monotonic() < deadline:
            if daemon_pid(directory) != pid:
                return
            time.sleep(INTERVAL_S)
    raise NotRunning(f"process {pid} of the fleet in {directory} does not stop")


def _reap(directory: Path) -> None:
    """Collect the exit status of the daemon that this process started; kill it if it does not have the lock yet."""
    daemon = _children.pop(directory.resolve(), None)
    if daemon is not None:
        daemon.kill()
        daemon.wait()


def _refuse_other_file(directory: Path, fleet_file: Path) -> None:
    given = directory / GIVEN
    if given.exists() and given.read_bytes() != fleet_file.read_bytes():
        raise NotStarted(f"a fleet with another fleet file runs in {directory}; {STOP_FIRST}")


def _last_lines(directory: Path) -> str:
    log = directory / "daemon.log"
    lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
    return f"its log {log} ends with\n" + "\n".join(lines)

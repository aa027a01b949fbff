"""Asking a fleet's daemon for a Prometheus."""

import os
import shutil
import signal
from collections.abc import Iterable
from pathlib import Path

from mig_fleet.simulator.errors import NotRunning, NotStarted
from mig_fleet.simulator.polling import wait_until
from mig_fleet.simulator.prometheus.settings import FOLDER, Answer, Settings
from mig_fleet.simulator.running import Status, daemon_pid


def start(directory: Path, settings: Settings, rules: Iterable[Path]) -> str:
    """Start the fleet's Prometheus, or start it again with other settings or rules; returns its URL when it is ready.

    ``directory`` is the fleet's, ``rules`` are rule files. Raises :class:`NotRunning` without a fleet, and
    :class:`NotStarted` with Prometheus' own error, for example for a rule that it does not accept.
    """
    pid, folder = _daemon(directory), directory / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    _copy(rules, folder / "rules")
    settings.write(folder)
    return _ask(pid, folder)


def stop(directory: Path) -> None:
    """Stop the fleet's Prometheus, if one runs; its data remain. Raises :class:`NotRunning` without a fleet."""
    pid, folder = _daemon(directory), directory / FOLDER
    if folder.exists():
        Settings.remove(folder)
        _ask(pid, folder)


def _daemon(directory: Path) -> int:
    pid, status = daemon_pid(directory), Status.read(directory)
    # The status of a killed daemon remains, and SIGUSR1 would end a new one that is not ready.
    if pid is None or (status.phase, status.pid) != ("ready", pid):
        raise NotRunning(f"no fleet runs in {directory}; `mig-fleet simulate up` starts one")
    return pid


def _ask(pid: int, folder: Path) -> str:
    """Let the daemon read the settings; returns Prometheus' URL."""
    Answer.remove(folder)
    os.kill(pid, signal.SIGUSR1)
    answer = wait_until(lambda: Answer.read(folder), "Prometheus is ready")
    assert answer is not None, "wait_until returns a truthy value"
    if answer.error:
        raise NotStarted(answer.error)
    return answer.url


def _copy(rules: Iterable[Path], folder: Path) -> None:
    """Replace the rules of the earlier start."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    for number, file in enumerate(rules, start=1):
        shutil.copyfile(file, folder / f"{number}-{file.stem}.yaml")

"""A Prometheus in a process of its own, for tests, benchmarks and recorded series."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3


@dataclass(frozen=True, slots=True)
class Running:
    """A Prometheus that is ready."""

    url: str
    pid: int


@contextmanager
def running(program: Path, folder: Path, configuration: Path, *flags: str) -> Iterator[Running]:
    """Its series are in ``data`` of the folder, its output in ``log``. Raises AssertionError with the log if it does
    not become ready.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    command = [str(program), f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'data'}", *flags]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log)
    try:
        _wait_until_ready(f"http://{address}", process, folder / "log")
        yield Running(f"http://{address}", process.pid)
    finally:
        process.kill()
        process.wait()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    retries = urllib3.Retry(
        total=100, connect=100, status=100, status_forcelist=[503], backoff_factor=0.1, backoff_max=0.5
    )
    try:
        with urllib3.PoolManager() as pool:
            answer = pool.request("GET", f"{url}/-/ready", retries=retries, timeout=5)
    except urllib3.exceptions.HTTPError as exc:
        raise AssertionError(f"Prometheus is not ready ({process.poll()}):\n{log.read_text()}") from exc
    assert answer.status == 200

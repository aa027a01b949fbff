"""NVIDIA's DRA driver as a process, with a log."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mig_fleet.simulator.driver import DriverFile
from mig_fleet.simulator.genuine import dra_plugin


@dataclass(frozen=True)
class Running:
    """A process of the driver, and the file with what it writes."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None


@contextmanager
def running(
    program: Path,
    node: str,
    file: DriverFile,
    nvml: Path,
    kubeconfig: Path,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """The driver on a node, until the end of the ``with`` block; the arguments are those of its command."""
    with tempfile.TemporaryDirectory(prefix="dra-") as folder:
        root, log = Path(folder, "root"), Path(folder, "log")
        root.mkdir()
        command = dra_plugin.command(root, program, node, file, nvml, kubeconfig, variables)
        with log.open("w") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            yield Running(process, log)
        finally:
            process.kill()
            process.wait()

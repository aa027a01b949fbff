"""One node without a cluster: a driver that NVIDIA's programs read and change, until the end of a ``with`` block."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mig_fleet.simulator.driver import Driver, DriverFile
from mig_fleet.simulator.driver.control_socket import CONTROL_VARIABLE, control_socket
from mig_fleet.simulator.driver.library import reading
from mig_fleet.simulator.genuine import node_files
from mig_fleet.simulator.genuine.namespace import Finished, Namespace


@dataclass(frozen=True, slots=True)
class Machine:
    """A driver and the namespace in which its programs run."""

    folder: Path
    namespace: Namespace
    file: DriverFile
    environment: Mapping[str, str]

    def set(self, driver: Driver) -> None:
        """Replace the hardware: the GPUs and their state."""
        node_files.write(self.folder, driver)
        self.file.write(driver)

    def read(self) -> Driver:
        """The state of the hardware."""
        return self.file.read()

    def run(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Finished:
        """Run a program, which finds no other program on its PATH."""
        return self.namespace.run(command, {**self.environment, **(environment or {})})


@contextmanager
def machine(folder: Path, nvml_folder: Path) -> Iterator[Machine]:
    """A machine without GPUs. Raises :class:`~mig_fleet.simulator.errors.NotStarted` without a namespace."""
    file = DriverFile(folder / "driver")
    file.write(Driver("580.126.09", 13000))
    with Namespace(folder) as namespace, control_socket(file) as control:
        environment = {**reading(nvml_folder, file), CONTROL_VARIABLE: str(control), "PATH": "/nonexistent"}
        yield Machine(folder, namespace, file, environment)

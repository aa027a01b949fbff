"""The errors of the simulator.

SimulatorError
├── DriverError              an error of the simulated driver, with NVML's code
│   ├── InsufficientResources
│   ├── InUse
│   ├── NotSupported
│   └── NotFound
├── PartedError              the message of mig-parted before it exits with 1
├── FleetFileError           all mistakes in a fleet file
├── MissingBinary            a program of the control plane is missing
├── NoCompiler               no C compiler for the NVML library
├── NotStarted               the control plane or the fleet did not start, or a condition was not met in time
├── NotRunning               the fleet does not run
├── UnknownNode
├── NoSuchFault              a fault of the simulated MIG Manager, where NVIDIA's own one runs
└── ApiError                 an error response of the API server, with its status
"""

from collections.abc import Iterable
from typing import Self


class SimulatorError(Exception):
    """Base class; the text can be shown to the user unchanged."""


class DriverError(SimulatorError):
    """An operation the driver refused; ``code`` is NVML's."""

    code = 999
    message = "Unknown Error"

    def __init__(self, operation: str) -> None:
        super().__init__(f"{operation}: {self.message}")
        self.operation = operation

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.operation,)


class InsufficientResources(DriverError):
    """No free placement for the profile."""

    code = 23
    message = "Insufficient Resources"


class InUse(DriverError):
    """A client uses the GPU or the instance."""

    code = 19
    message = "In use by another client"


class NotSupported(DriverError):
    """The GPU does not support the operation, or not in its current mode."""

    code = 3
    message = "Not Supported"


class NotFound(DriverError):
    """The instance does not exist."""

    code = 6
    message = "Not Found"


class PartedError(SimulatorError):
    """mig-parted failed: GPUs before the failed one are changed, the failed one is left without instances."""


class FleetFileError(SimulatorError):
    """An invalid fleet file; ``problems`` has one line per mistake."""

    def __init__(self, source: str, problems: Iterable[str]) -> None:
        self.source, self.problems = source, tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{source} has {len(self.problems)} problem(s):\n{lines}")

    def __reduce__(self) -> tuple[type[Self], tuple[str, tuple[str, ...]]]:
        return type(self), (self.source, self.problems)


class MissingBinary(SimulatorError):
    """A program of the control plane is not in the given folder."""


class NoCompiler(SimulatorError):
    """There is no C compiler for the simulator's libraries, or it failed."""


class NotStarted(SimulatorError):
    """A part did not start in time; for a program, the text ends with the last lines of its log."""


class NotRunning(SimulatorError):
    """The fleet does not run."""


class UnknownNode(SimulatorError):
    """The fleet has no node of this name."""


class NoSuchFault(SimulatorError):
    """The fault is one of the simulated MIG Manager, and NVIDIA's own one runs on the nodes."""


class ApiError(SimulatorError):
    """The API server returned an error status, or did not respond (status 0)."""

    def __init__(self, status: int, request: str, message: str) -> None:
        super().__init__(f"{request}: {message} (HTTP {status})")
        self.status, self.request, self.message = status, request, message

    def __reduce__(self) -> tuple[type[Self], tuple[int, str, str]]:
        return type(self), (self.status, self.request, self.message)

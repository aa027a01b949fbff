"""What can go wrong in the simulated fleet.

SimulatorError
├── DriverError              what the simulated driver answers, with NVML's own code
│   ├── InsufficientResources
│   ├── InUse
│   ├── NotSupported
│   └── NotFound
├── PartedError              what mig-parted prints before it exits with 1
├── FleetFileError           every mistake of a fleet file at once
├── MissingBinary            a control-plane program that is not there
├── NoCompiler               nothing to compile the NVML library with
├── NotStarted               the control plane, or the fleet, did not come up
├── NotRunning               asked of a fleet that is down
├── UnknownNode
└── ApiError                 the API server said no; has its status
"""

from collections.abc import Iterable
from typing import Self


class SimulatorError(Exception):
    """Base class; the text is fit to be shown as it is."""


class DriverError(SimulatorError):
    """An operation the driver refused; ``code`` is NVML's."""

    code = 999
    words = "Unknown Error"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: {self.words}")
        self.what = what

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.what,)


class InsufficientResources(DriverError):
    """No free placement for the profile."""

    code = 23
    words = "Insufficient Resources"


class InUse(DriverError):
    """A client holds the GPU or the instance."""

    code = 19
    words = "In use by another client"


class NotSupported(DriverError):
    """The GPU cannot do this, or not in its present mode."""

    code = 3
    words = "Not Supported"


class NotFound(DriverError):
    """There is no such instance."""

    code = 6
    words = "Not Found"


class PartedError(SimulatorError):
    """mig-parted gave up; GPUs before the failing one are changed, the failing one is left cleared."""


class FleetFileError(SimulatorError):
    """A fleet file that cannot be used."""

    def __init__(self, source: str, problems: Iterable[str]) -> None:
        self.source, self.problems = source, tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{source} has {len(self.problems)} problem(s):\n{lines}")

    def __reduce__(self) -> tuple[type[Self], tuple[str, tuple[str, ...]]]:
        return type(self), (self.source, self.problems)


class MissingBinary(SimulatorError):
    """A program of the control plane is not in the folder that was handed in."""


class NoCompiler(SimulatorError):
    """The NVML library is compiled on the spot and there is nothing to do it with."""


class NotStarted(SimulatorError):
    """Something did not come up in time; the text ends with the last words of its log."""


class NotRunning(SimulatorError):
    """The fleet is down."""


class UnknownNode(SimulatorError):
    """A node that the fleet file does not have."""


class ApiError(SimulatorError):
    """The API server answered with an error status, or not at all (status 0)."""

    def __init__(self, status: int, what: str, message: str) -> None:
        super().__init__(f"{what}: {message} (HTTP {status})")
        self.status, self.what, self.message = status, what, message

    def __reduce__(self) -> tuple[type[Self], tuple[int, str, str]]:
        return type(self), (self.status, self.what, self.message)

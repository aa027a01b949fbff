"""The driver's state of one node, and the file that holds it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mig_fleet.simulator.driver import text
from mig_fleet.simulator.driver.gpu import Gpu


@dataclass(slots=True)
class Driver:
    """The complete state of one node's driver."""

    version: str
    cuda: int
    """In NVML's form: 13000 is CUDA 13.0."""
    gpus: list[Gpu] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    """NVML function → the error code that it returns."""

    def dump(self) -> str:
        """The file's text."""
        lines = [text.line("system", driver=self.version, nvml=f"13.{self.version}", cuda=self.cuda)]
        lines += [text.line("error", call=call, code=code) for call, code in sorted(self.errors.items())]
        for model in {gpu.model.name: gpu.model for gpu in self.gpus}.values():
            lines += text.catalog(model)
        for gpu in self.gpus:
            lines += text.gpu(gpu)
        return "".join(lines)

    @classmethod
    def parse(cls, content: str) -> "Driver":
        """The inverse of :meth:`dump`."""
        driver = cls("", 0)
        for kind, record in text.records(content):
            if kind == "system":
                driver.version, driver.cuda = record["driver"], int(record["cuda"])
            elif kind == "error":
                driver.errors[record["call"]] = int(record["code"])
            elif kind == "gpu":
                driver.gpus.append(text.read_gpu(record))
            elif "gpu" in record:
                text.read_part(driver.gpus[int(record["gpu"])], kind, record)
        return driver


@dataclass(frozen=True, slots=True)
class DriverFile:
    """The state file of one node. Writers exclude each other by a lock; readers never see a partial write."""

    path: Path

    def read(self) -> Driver:
        return Driver.parse(self.path.read_text())

    def write(self, driver: Driver) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".new")
        draft.write_text(driver.dump())
        draft.replace(self.path)

    @contextmanager
    def change(self) -> Iterator[Driver]:
        """Read the state, yield it, write it back; changes before an error are kept, as on hardware."""
        lock = os.open(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            driver = self.read()
            try:
                yield driver
            finally:
                self.write(driver)
        finally:
            os.close(lock)

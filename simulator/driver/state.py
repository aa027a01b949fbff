"""The driver's state file: what the operations write, what ``libnvidia-ml.so.1`` serves.

One record a line, tab-separated, a kind and then ``key=value``. ``profile`` and ``compute-profile`` lines repeat the catalog
for the C library, which knows no GPU model; they are written and never read back.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mig import gpus
from mig.gpus import GpuModel
from simulator.driver.gpu import Client, ComputeInstance, Gpu, GpuInstance


@dataclass(slots=True)
class Driver:
    """Everything the driver of one node knows."""

    version: str
    cuda: int
    """As NVML has it: 13000 is CUDA 13.0."""
    gpus: list[Gpu] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    """NVML function → the code with which it shall fail."""

    def dump(self) -> str:
        """The file's text."""
        lines = [_line("system", driver=self.version, nvml=f"13.{self.version}", cuda=self.cuda)]
        lines += [_line("error", call=call, code=code) for call, code in sorted(self.errors.items())]
        for model in {gpu.model.name: gpu.model for gpu in self.gpus}.values():
            lines += _catalog(model)
        for gpu in self.gpus:
            lines += _gpu(gpu)
        return "".join(lines)

    @classmethod
    def parse(cls, text: str) -> "Driver":
        """The inverse of :meth:`dump`."""
        driver = cls("", 0)
        for line in text.splitlines():
            kind, *fields = line.split("\t")
            read = _READERS.get(kind)
            if read is not None:
                read(driver, dict(item.split("=", 1) for item in fields))
        return driver


@dataclass(frozen=True, slots=True)
class DriverFile:
    """The state file of one node; safe against a second writer and against a reader in the middle of a write."""

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
        """Read, let the caller change it, write; also what was changed before an error, as hardware would keep it."""
        lock = os.open(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            driver = self.read()
            try:
                yield driver
            finally:
                self.write(driver)
        finally:
            os.close(lock)


def _line(kind: str, **fields: object) -> str:
    return "\t".join((kind, *(f"{key.rstrip('_')}={_text(value)}" for key, value in fields.items()))) + "\n"


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _board(model: GpuModel) -> str:
    return model.pci_device_ids[0] if model.pci_device_ids else "0x000010DE"


def _catalog(model: GpuModel) -> list[str]:
    board = _board(model)
    lines = []
    for profile in model.profiles.values():
        engines = profile.engines
        lines.append(
            _line(
                "profile", board=board, enum=profile.nvml_enum, id=profile.nvml_id or 0, name=profile.name,
                slices=profile.compute_slices, max=profile.max_instances, sm=profile.sm_count or 0,
                memory=profile.memory_mib or 0, size=profile.size, starts=",".join(map(str, profile.starts)),
                copy=engines.copy or 0, dec=engines.dec or 0, enc=engines.enc or 0,
                jpeg=engines.jpeg or 0, ofa=engines.ofa or 0,
            )
        )  # fmt: skip
        lines += [
            _line(
                "compute-profile", board=board, gi=profile.nvml_id or 0, id=each.ci_profile_id, name=each.name,
                slices=each.slices, max=each.instances, sm=each.sm_count or 0,
            )
            for each in profile.compute_instances
        ]  # fmt: skip
    return lines


def _gpu(gpu: Gpu) -> list[str]:
    model = gpu.model
    unit = min((profile.size for profile in model.profiles.values()), default=1)
    lines = [
        _line(
            "gpu", index=gpu.index, model=model.name, name=gpu.product, uuid=gpu.uuid, bus=gpu.bus, board=_board(model),
            subsystem="0x16C110DE", memory=memory_mib(model), compute=model.compute_capability, capable=gpu.mig_capable,
            mode=gpu.mode, pending=gpu.pending, devices=model.max_gpu_instances,
        )
    ]  # fmt: skip
    for instance in gpu.instances:
        profile = model.profile(instance.profile)
        lines.append(
            _line(
                "gi", gpu=gpu.index, id=instance.id, profile=profile.nvml_id or 0, name=instance.profile,
                start=instance.start, size=instance.size,
            )
        )  # fmt: skip
        for compute in instance.compute:
            # The index a MIG device has on real GPUs leaves gaps too; here it follows from where the instance begins.
            device = instance.start // unit + compute.start
            lines.append(
                _line(
                    "ci", gpu=gpu.index, gi=instance.id, id=compute.id, profile=compute.profile_id, start=compute.start,
                    size=compute.slices, device=device, uuid=gpu.mig_uuid(instance, compute),
                )
            )  # fmt: skip
    lines += [
        _line("client", gpu=gpu.index, instance="" if client.instance is None else client.instance, name=client.name)
        for client in gpu.clients
    ]
    return lines


def memory_mib(model: GpuModel) -> int:
    """The whole GPU's memory in MiB, nominal where the exact figure has no source."""
    return model.total_memory_mib or model.memory_gb * 1024


def _read_system(driver: Driver, record: dict[str, str]) -> None:
    driver.version, driver.cuda = record["driver"], int(record["cuda"])


def _read_error(driver: Driver, record: dict[str, str]) -> None:
    driver.errors[record["call"]] = int(record["code"])


def _read_gpu(driver: Driver, record: dict[str, str]) -> None:
    mode, pending = record["mode"] == "1", record["pending"] == "1"
    model = gpus.find(record["model"])
    driver.gpus.append(Gpu(int(record["index"]), model, record["name"], record["uuid"], record["bus"], mode, pending))


def _read_gi(driver: Driver, record: dict[str, str]) -> None:
    instance = GpuInstance(int(record["id"]), record["name"], int(record["start"]), int(record["size"]))
    driver.gpus[int(record["gpu"])].instances.append(instance)


def _read_ci(driver: Driver, record: dict[str, str]) -> None:
    """Always right behind its ``gi`` line, or behind another of the same instance."""
    instances = driver.gpus[int(record["gpu"])].instances
    last = instances.pop()
    made = ComputeInstance(int(record["id"]), int(record["profile"]), int(record["start"]), int(record["size"]))
    instances.append(GpuInstance(last.id, last.profile, last.start, last.size, (*last.compute, made)))


def _read_client(driver: Driver, record: dict[str, str]) -> None:
    instance = int(record["instance"]) if record["instance"] else None
    driver.gpus[int(record["gpu"])].clients.append(Client(record["name"], instance))


_READERS: Final = {
    "system": _read_system, "error": _read_error, "gpu": _read_gpu, "gi": _read_gi, "ci": _read_ci, "client": _read_client,
}  # fmt: skip

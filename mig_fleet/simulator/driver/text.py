"""The state file's text. One record a line: a kind, then ``key=value`` fields, separated by tabs.

``profile`` and ``compute-profile`` records repeat the catalog for the C library, which knows no GPU model; they are
written and never read back. A ``ci`` record stands behind the ``gi`` record it belongs to.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from mig_fleet.model import gpus
from mig_fleet.model.gpus import GpuModel, GpuProfile
from mig_fleet.simulator.driver.gpu import Client, ComputeInstance, Gpu, GpuInstance, shares

OF_THE_CATALOG: Final = frozenset({"profile", "compute-profile"})
NO_BOARD: Final = "0x000010DE"
SUBSYSTEM: Final = "0x16C110DE"

Record = dict[str, str]


def line(kind: str, **fields: object) -> str:
    """One record; what is not known is 0."""
    return "\t".join((kind, *(f"{key}={_text(value)}" for key, value in fields.items()))) + "\n"


def records(text: str) -> Iterator[tuple[str, Record]]:
    """Kind and fields of each line, without what was written for the C library alone."""
    for row in text.splitlines():
        kind, *fields = row.split("\t")
        if kind not in OF_THE_CATALOG:
            yield kind, dict(field.split("=", 1) for field in fields)


def catalog(model: GpuModel) -> Iterator[str]:
    """What the driver knows of a GPU model."""
    for profile in model.profiles.values():
        yield line("profile", board=board(model), **_facts(profile))
        for share in shares(profile):
            yield line(
                "compute-profile",
                board=board(model),
                gi=profile.nvml_id,
                id=share.ci_profile_id,
                name=share.name,
                slices=share.slices,
                max=share.instances,
                sm=share.sm_count,
            )


def gpu(found: Gpu) -> Iterator[str]:
    """One GPU with its instances and clients."""
    model = found.model
    unit = min((profile.size for profile in model.profiles.values()), default=1)
    yield line(
        "gpu",
        index=found.index,
        model=model.name,
        name=found.product,
        uuid=found.uuid,
        bus=found.bus,
        board=board(model),
        subsystem=SUBSYSTEM,
        memory=memory_mib(model),
        compute=model.compute_capability,
        capable=found.mig_capable,
        mode=found.mode,
        pending=found.pending,
        lost=found.lost,
        devices=model.max_gpu_instances,
    )
    for instance in found.instances:
        profile = model.profile(instance.profile)
        place = {"start": instance.start, "size": instance.size}
        yield line("gi", gpu=found.index, id=instance.id, profile=profile.nvml_id, name=instance.profile, **place)
        for share in instance.compute:
            yield line(
                "ci",
                gpu=found.index,
                gi=instance.id,
                id=share.id,
                profile=share.profile_id,
                start=share.start,
                size=share.slices,
                # The index a MIG device has on real GPUs leaves gaps too; here it follows from where it begins.
                device=instance.start // unit + share.start,
                uuid=found.mig_uuid(instance, share),
            )
    for client in found.clients:
        yield line(
            "client", gpu=found.index, name=client.name, instance="" if client.instance is None else client.instance
        )


def read_gpu(record: Record) -> Gpu:
    return Gpu(
        index=int(record["index"]),
        model=gpus.find(record["model"]),
        product=record["name"],
        uuid=record["uuid"],
        bus=record["bus"],
        mode=record["mode"] == "1",
        pending=record["pending"] == "1",
        lost=record.get("lost") == "1",
    )


def read_part(found: Gpu, kind: str, record: Record) -> None:
    """Add what a ``gi``, ``ci`` or ``client`` record says to the GPU it names."""
    if kind == "gi":
        place = int(record["start"]), int(record["size"])
        found.instances.append(GpuInstance(int(record["id"]), record["name"], *place))
    elif kind == "ci":
        share = ComputeInstance(int(record["id"]), int(record["profile"]), int(record["start"]), int(record["size"]))
        found.instances[-1] = replace(found.instances[-1], compute=(*found.instances[-1].compute, share))
    elif kind == "client":
        found.clients.append(Client(record["name"], int(record["instance"]) if record["instance"] else None))


def board(model: GpuModel) -> str:
    """The PCI device id that stands for the model."""
    return model.pci_device_ids[0] if model.pci_device_ids else NO_BOARD


def memory_mib(model: GpuModel) -> int:
    """The whole GPU's memory in MiB, nominal where the exact figure has no source."""
    return model.total_memory_mib or model.memory_gb * 1024


def _facts(profile: GpuProfile) -> dict[str, Any]:
    engines = profile.engines
    return {
        "enum": profile.nvml_enum,
        "id": profile.nvml_id,
        "name": profile.name,
        "slices": profile.compute_slices,
        "max": profile.max_instances,
        "sm": profile.sm_count,
        "memory": profile.memory_mib,
        "size": profile.size,
        "starts": ",".join(map(str, profile.starts)),
        "copy": engines.copy,
        "dec": engines.dec,
        "enc": engines.enc,
        "jpeg": engines.jpeg,
        "ofa": engines.ofa,
    }


def _text(value: object) -> str:
    if value is None:
        return "0"
    return str(int(value)) if isinstance(value, bool) else str(value)

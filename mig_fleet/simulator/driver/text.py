"""The text of the driver's state file. One record per line: a kind, then ``key=value`` fields, separated by tabs.

``profile`` and ``compute-profile`` records repeat the catalog for the C library, which knows no GPU model; they are
written and never read back. A ``ci`` record follows the ``gi`` record of its GPU instance.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from mig_fleet.model import gpus
from mig_fleet.model.gpus import GpuModel, GpuProfile
from mig_fleet.simulator.driver.gpu import Gpu
from mig_fleet.simulator.driver.instances import (
    Client,
    ComputeInstance,
    GpuInstance,
    compute_profiles,
    nvml_profile_id,
    profile_memory_mib,
)

CATALOG_KINDS: Final = frozenset({"profile", "compute-profile"})
NO_BOARD: Final = "0x000010DE"
SUBSYSTEM: Final = "0x16C110DE"

Record = dict[str, str]


def line(kind: str, **fields: object) -> str:
    """One record; an unknown value is written as 0."""
    return "\t".join((kind, *(f"{key}={_text(value)}" for key, value in fields.items()))) + "\n"


def records(text: str) -> Iterator[tuple[str, Record]]:
    """Kind and fields of each line, without the catalog records, which only the C library reads."""
    for row in text.splitlines():
        kind, *fields = row.split("\t")
        if kind not in CATALOG_KINDS:
            yield kind, dict(field.split("=", 1) for field in fields)


def catalog(model: GpuModel) -> Iterator[str]:
    """The profiles of a GPU model."""
    for profile in model.profiles.values():
        yield line("profile", board=board(model), **_facts(model, profile))
        for compute in compute_profiles(profile):
            yield line(
                "compute-profile",
                board=board(model),
                gi=nvml_profile_id(profile),
                id=compute.ci_profile_id,
                name=compute.name,
                slices=compute.slices,
                max=compute.instances,
                sm=compute.sm_count,
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
        created=found.created,
    )
    for instance in found.instances:
        profile = model.profile(instance.profile)
        place = {"start": instance.start, "size": instance.size, "serial": instance.serial}
        yield line(
            "gi", gpu=found.index, id=instance.id, profile=nvml_profile_id(profile), name=instance.profile, **place
        )
        for compute in instance.compute:
            yield line(
                "ci",
                gpu=found.index,
                gi=instance.id,
                id=compute.id,
                profile=compute.profile_id,
                start=compute.start,
                size=compute.slices,
                # MIG device indices have gaps, as on real GPUs; here they follow from the start of the instance.
                device=instance.start // unit + compute.start,
                uuid=found.mig_uuid(instance, compute),
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
        created=int(record.get("created", 0)),
    )


def read_part(found: Gpu, kind: str, record: Record) -> None:
    """Add a ``gi``, ``ci`` or ``client`` record to its GPU."""
    if kind == "gi":
        placement = int(record["start"]), int(record["size"])
        serial = int(record.get("serial", 0))
        found.instances.append(GpuInstance(int(record["id"]), record["name"], *placement, serial=serial))
    elif kind == "ci":
        compute = ComputeInstance(int(record["id"]), int(record["profile"]), int(record["start"]), int(record["size"]))
        found.instances[-1] = replace(found.instances[-1], compute=(*found.instances[-1].compute, compute))
    elif kind == "client":
        found.clients.append(Client(record["name"], int(record["instance"]) if record["instance"] else None))


def board(model: GpuModel) -> str:
    """The model's PCI device id; the first one where the catalog lists several."""
    return model.pci_device_ids[0] if model.pci_device_ids else NO_BOARD


def memory_mib(model: GpuModel) -> int:
    """Memory of the whole GPU in MiB; computed from the nominal GB where the catalog has no exact figure."""
    return model.total_memory_mib or model.memory_gb * 1024


def _facts(model: GpuModel, profile: GpuProfile) -> dict[str, Any]:
    engines = profile.engines
    return {
        "enum": profile.nvml_enum,
        "id": nvml_profile_id(profile),
        "name": profile.name,
        "slices": profile.compute_slices,
        "max": profile.max_instances,
        "sm": profile.sm_count,
        "memory": profile_memory_mib(model, profile, memory_mib(model)),
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

"""Compares the devices that the DRA driver has published with those of the node's report."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from mig_fleet.model.dra.device import GPU, MIG, DraDevice
from mig_fleet.model.dra.expected import expected_devices
from mig_fleet.model.report import Report

Place = tuple[str, int, str]
"""UUID of the GPU, first memory slice, profile."""


def device_differences(report: Report, devices: Iterable[DraDevice]) -> list[str]:
    """A sentence for each device that is not published, does not exist, or was created again since, by GPU.

    UUIDs of MIG devices count only where the report has them. Devices of other types do not count. No sentence means
    that both have the same devices at the same places.
    """
    indexes = {gpu.uuid: gpu.index for gpu in report.gpus}
    published = [device for device in devices if device.type in (GPU, MIG)]
    wanted, found = _by_place(expected_devices(report)), _by_place(published)
    differences: list[tuple[int, int, str]] = []
    for place in wanted.keys() | found.keys():
        gpu, start, _ = place
        texts = _at_one_place(wanted.get(place, []), found.get(place, []))
        index = indexes.get(gpu, len(indexes))
        where = f"GPU {indexes[gpu]}" if gpu in indexes else gpu or "a GPU without UUID"
        differences += [(index, start, f"{where}: {text}") for text in texts]
    return [text for _, _, text in sorted(differences)]


def _by_place(devices: Iterable[DraDevice]) -> Mapping[Place, list[DraDevice]]:
    """A split GPU instance has several devices at one place."""
    found: defaultdict[Place, list[DraDevice]] = defaultdict(list)
    for device in devices:
        found[device.gpu_uuid, device.start, device.profile].append(device)
    return found


def _at_one_place(wanted: list[DraDevice], found: list[DraDevice]) -> list[str]:
    if len(wanted) > len(found):
        return [f"{wanted[0]} is not published"] * (len(wanted) - len(found))
    if len(found) > len(wanted):
        return [f"{found[0]} is published, and NVML does not have it"] * (len(found) - len(wanted))
    uuids = {device.uuid for device in wanted}
    created_again = [device for device in found if "" not in uuids and device.uuid not in uuids]
    return [f"{device} was created again since it was published: its UUID is another one" for device in created_again]

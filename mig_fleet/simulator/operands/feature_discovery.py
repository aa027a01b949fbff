"""GPU Feature Discovery (GFD): the labels that it derives from a node's GPUs.

Written from the label sets of real nodes and from k8s-device-plugin v0.20.0 (internal/lm). It deliberately shares no
code with the product's check of these labels.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Mapping
from typing import Final

from mig_fleet.model.profiles import Profile
from mig_fleet.simulator.driver import Driver, Gpu
from mig_fleet.simulator.driver.attributes import attributes
from mig_fleet.simulator.driver.text import memory_mib
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.informer import version_of
from mig_fleet.simulator.node.container import Container
from mig_fleet.simulator.node.node import SimulatedNode
from mig_fleet.simulator.operands.device_plugin import REPLICAS

PREFIX: Final = "nvidia.com/"

OWNED: Final = ("gpu.product", "gpu.count", "gpu.replicas", "gpu.memory", "gpu.family", "gpu.machine", "gpu.mode",
                "gpu.sharing-strategy", "gpu.compute.", "gpu.multiprocessors", "gpu.slices.", "gpu.engines.",
                "mig-", "mig.capable", "mig.strategy", "mps.capable", "vgpu.present", "cuda.", "gfd.")  # fmt: skip
"""Beginnings of the labels under :data:`PREFIX` that GFD sets, and removes when they do not apply."""

SLOW_FACTOR: Final = 10


async def run(container: Container) -> int:
    """Read the GPUs at each interval and update the labels; the labels remain when the pod ends."""
    node = container.node
    strategy = container.environment.get("MIG_STRATEGY", "none")
    stamp = str(int(time.time()))
    labelled: object = None
    while True:
        if Fault.GFD_SLOW in node.faults:
            await asyncio.sleep(node.timing.gfd_interval * SLOW_FACTOR)
        current = node.driver_stamp, version_of(node.object)
        if current != labelled and Fault.GFD_STALE not in node.faults:
            desired = discovered(node.driver, node.spec.machine, strategy)
            if Fault.PLUGIN_SHARES in node.faults:
                desired |= shared(desired)
            desired[f"{PREFIX}gfd.timestamp"] = stamp
            try:
                await _replace_labels(node, desired)
                labelled = current
            except ApiError as exc:
                container.log(f"error updating labels: {exc}")
        await asyncio.sleep(node.timing.gfd_interval)


async def _replace_labels(node: SimulatedNode, desired: Mapping[str, str]) -> None:
    """Set the desired labels and remove all other labels of GFD."""
    patch: dict[str, str | None] = {name: None for name in node.labels if owns(name) and name not in desired}
    patch |= {name: value for name, value in desired.items() if node.labels.get(name) != value}
    if patch:
        await node.patch_labels(patch)


def owns(label: str) -> bool:
    """Whether a label is one of GFD's."""
    return label.startswith(PREFIX) and label.removeprefix(PREFIX).startswith(OWNED)


def discovered(driver: Driver, machine: str, strategy: str) -> dict[str, str]:
    """Every label of GFD except its timestamp, for a node with GPUs of one model; ``machine`` is the machine type."""
    first = driver.gpus[0]
    major, minor = (first.model.compute_capability or "0.0").split(".")
    found = {
        "gpu.machine": machine,
        "gpu.family": first.family.lower(),
        "gpu.compute.major": major,
        "gpu.compute.minor": minor,
        "gpu.mode": "compute",
        "mps.capable": "false",
        "vgpu.present": "false",
        "mig.capable": _bool(any(gpu.mig_capable for gpu in driver.gpus)),
        **_versions(driver),
        **_gpu_group(first, len(driver.gpus), all(gpu.mode for gpu in driver.gpus)),
    }
    if strategy in ("single", "mixed"):
        found["mig.strategy"] = strategy
    if strategy == "mixed":
        found |= _mixed(driver)
    elif strategy == "single" and any(gpu.mode for gpu in driver.gpus):
        found |= _single(driver)
    return {PREFIX + key: value for key, value in found.items()}


def shared(found: Mapping[str, str]) -> dict[str, str]:
    """The labels that differ if every device is shared by time-slicing, under its own name."""
    counted = (key for key, number in found.items() if key.endswith(".replicas") and number != "0")
    groups = [key.removesuffix(".replicas") for key in counted]
    replicas = {f"{group}.replicas": str(REPLICAS) for group in groups}
    products = {f"{group}.product": f"{found[f'{group}.product']}-SHARED" for group in groups}
    return replicas | products | {f"{group}.sharing-strategy": "time-slicing" for group in groups}


def single_profile(driver: Driver) -> str | None:
    """The profile of all slices of the node; ``None`` when strategy ``single`` cannot serve the node."""
    counts = [gpu.counts() for gpu in driver.gpus]
    names = {name for each in counts for name in each}
    return names.pop() if len(names) == 1 and all(gpu.mode for gpu in driver.gpus) and all(counts) else None


def product(gpu: Gpu) -> str:
    """The product name as a label value, without the signs that a value may not have (internal/lm, `sanitise`)."""
    return "-".join(re.sub(r"[^A-Za-z0-9-_. ]", "", gpu.product).split())


def _gpu_group(gpu: Gpu, count: int, all_in_mig_mode: bool) -> dict[str, str]:
    """Labels of the whole GPUs: the count includes all GPUs. The replicas are 0 only if all GPUs are in MIG mode, under
    any strategy, also under ``none``, where they are offered (measured with GFD v0.20.0 on 1,022 nodes).
    """
    return {
        "gpu.product": product(gpu),
        "gpu.count": str(count),
        "gpu.replicas": "0" if all_in_mig_mode else "1",
        "gpu.memory": str(memory_mib(gpu.model)),
        "gpu.sharing-strategy": "none",
    }


def _mixed(driver: Driver) -> dict[str, str]:
    counts: Counter[str] = Counter()
    for gpu in driver.gpus:
        counts.update(gpu.counts())
    found: dict[str, str] = {}
    for name, count in counts.items():
        group = Profile.parse(name).resource.removeprefix(PREFIX)
        found |= _slice_group(group, driver.gpus[0], name, count)
    return found


def _single(driver: Driver) -> dict[str, str]:
    """Labels of the slice instead of the GPU; ``MIG-INVALID`` in the product name when the slices differ."""
    name = single_profile(driver)
    if name is None:
        return {
            "gpu.product": f"{product(driver.gpus[0])}-MIG-INVALID",
            "gpu.count": "0",
            "gpu.replicas": "0",
            "gpu.memory": "0",
            "gpu.sharing-strategy": "",
        }
    return _slice_group("gpu", driver.gpus[0], name, sum(gpu.counts()[name] for gpu in driver.gpus))


def _slice_group(group: str, gpu: Gpu, name: str, count: int) -> dict[str, str]:
    reported = attributes(gpu.model, name)
    values: dict[str, object] = {
        "product": f"{product(gpu)}-MIG-{Profile.parse(name).kubernetes}",
        "count": count,
        "replicas": 1,
        "sharing-strategy": "none",
        "memory": reported.memory_mib,
        "multiprocessors": reported.multiprocessors,
        "slices.gi": reported.gpu_slices,
        "slices.ci": reported.compute_slices,
        "engines.copy": reported.copy,
        "engines.decoder": reported.decoder,
        "engines.encoder": reported.encoder,
        "engines.jpeg": reported.jpeg,
        "engines.ofa": reported.ofa,
    }
    return {f"{group}.{key}": str(value) for key, value in values.items()}


def _versions(driver: Driver) -> dict[str, str]:
    """Each number under its name and under its older one, which GFD calls deprecated."""
    major, minor, revision = [*driver.version.split("."), "", ""][:3]
    cuda_major, cuda_minor = str(driver.cuda // 1000), str(driver.cuda % 1000 // 10)
    return {
        "cuda.driver-version.full": driver.version,
        "cuda.driver-version.major": major,
        "cuda.driver-version.minor": minor,
        "cuda.driver-version.revision": revision,
        "cuda.driver.major": major,
        "cuda.driver.minor": minor,
        "cuda.driver.rev": revision,
        "cuda.runtime-version.full": f"{cuda_major}.{cuda_minor}",
        "cuda.runtime-version.major": cuda_major,
        "cuda.runtime-version.minor": cuda_minor,
        "cuda.runtime.major": cuda_major,
        "cuda.runtime.minor": cuda_minor,
    }


def _bool(value: bool) -> str:
    return "true" if value else "false"

"""Names of devices in NVIDIA's DRA driver (dra-driver-nvidia-gpu v0.4.1, cmd/gpu-kubelet-plugin/mig.go)."""

import re
from typing import Final

from mig_fleet.simulator.driver.gpu import Gpu
from mig_fleet.simulator.driver.instances import GpuInstance, nvml_profile_id
from mig_fleet.simulator.driver.state import Driver

NAME: Final = re.compile(r"gpu-([0-9]+)(?:-mig-.+-([0-9]+)-([0-9]+))?")
"""Minor number of the GPU; of a MIG device also the id of its profile, and its first memory slice."""


def gpu_name(gpu: int) -> str:
    return f"gpu-{gpu}"


def device_name(gpu: int, profile: str, profile_id: int, start: int) -> str:
    """``gpu-0-mig-1g10gb-me-20-3`` for a ``1g.10gb+me``."""
    return f"gpu-{gpu}-mig-{re.sub('[^a-z0-9-]', '-', profile.replace('.', '').lower())}-{profile_id}-{start}"


def find(driver: Driver, name: str) -> tuple[Gpu, GpuInstance | None] | None:
    """The GPU or the slice with a device's name; None if there is no such device now."""
    found = NAME.fullmatch(name)
    gpu = next((gpu for gpu in driver.gpus if found and gpu.index == int(found[1])), None)
    if found is None or gpu is None:
        return None
    if found[2] is None:
        return None if gpu.mode else (gpu, None)
    wanted = int(found[2]), int(found[3])
    matching = (it for it in gpu.instances if (nvml_profile_id(gpu.model.profile(it.profile)), it.start) == wanted)
    instance = next(matching, None)
    return (gpu, instance) if instance else None

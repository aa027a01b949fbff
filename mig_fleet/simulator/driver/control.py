"""What a driver does with the changes that NVML's callers request: which are allowed, and NVML's code for each error.

A request is a line with an operation and four numbers, of which the first is the index of the GPU (``nvml/changes.c``
writes it). The answer is NVML's code, 0 for success, and one more number: an id, or the activation status of a mode.
"""

from collections.abc import Callable, Mapping
from typing import Final

from mig_fleet.simulator.driver.gpu import Gpu
from mig_fleet.simulator.driver.instances import nvml_profile_id
from mig_fleet.simulator.driver.state import Driver
from mig_fleet.simulator.errors import DriverError, InUse

INVALID_ARGUMENT: Final = 2

Answer = tuple[int, int]
Operation = Callable[[Gpu, int, int, int], Answer]


def perform(driver: Driver, request: str) -> Answer:
    """Change the driver as a request says. A refused request changes nothing, except a mode that stays pending."""
    name, *numbers = request.split() or [""]
    if name not in OPERATIONS or len(numbers) != 4 or not all(number.isdecimal() for number in numbers):
        return INVALID_ARGUMENT, 0
    index, first, second, third = map(int, numbers)
    gpu = next((gpu for gpu in driver.gpus if gpu.index == index), None)
    if gpu is None:
        return INVALID_ARGUMENT, 0
    try:
        return OPERATIONS[name](gpu, first, second, third)
    except DriverError as exc:
        return exc.code, 0


def _set_mode(gpu: Gpu, enabled: int, _second: int, _third: int) -> Answer:
    """NVML reports success for a mode that is pending until the next reset; the activation status says why it is
    (``nvmlDeviceSetMigMode`` in nvml.h).
    """
    try:
        gpu.set_mode(bool(enabled))
    except InUse as exc:
        if gpu.resets_on_mode_change:
            return 0, exc.code
        raise
    return 0, 0


def _create_gpu_instance(gpu: Gpu, profile_id: int, _second: int, _third: int) -> Answer:
    profile = _profile(gpu, profile_id)
    return (0, gpu.create_gpu_instance(profile).id) if profile else (INVALID_ARGUMENT, 0)


def _place_gpu_instance(gpu: Gpu, profile_id: int, start: int, size: int) -> Answer:
    profile = _profile(gpu, profile_id)
    if profile is None or size != gpu.model.profile(profile).size or start not in gpu.model.profile(profile).starts:
        return INVALID_ARGUMENT, 0
    return 0, gpu.create_gpu_instance(profile, start).id


def _destroy_gpu_instance(gpu: Gpu, instance_id: int, _second: int, _third: int) -> Answer:
    gpu.destroy_gpu_instance(instance_id)
    return 0, 0


def _create_compute_instance(gpu: Gpu, instance_id: int, profile_id: int, _third: int) -> Answer:
    return 0, gpu.create_compute_instance(instance_id, profile_id).id


def _destroy_compute_instance(gpu: Gpu, instance_id: int, compute_id: int, _third: int) -> Answer:
    gpu.destroy_compute_instance(instance_id, compute_id)
    return 0, 0


def _profile(gpu: Gpu, profile_id: int) -> str | None:
    """The name of the profile with this NVML id."""
    return next((row.name for row in gpu.model.profiles.values() if nvml_profile_id(row) == profile_id), None)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "set-mode": _set_mode,
    "create-gi": _create_gpu_instance,
    "place-gi": _place_gpu_instance,
    "destroy-gi": _destroy_gpu_instance,
    "create-ci": _create_compute_instance,
    "destroy-ci": _destroy_compute_instance,
}

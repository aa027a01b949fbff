"""`nvidia-mig-parted`: what it does with a config on a driver, including its silent failures.

Behaviour of mig-parted v0.15.0 (pkg/mig/config/config.go, pkg/types/mig_config.go and the commands apply and assert).
Entries are walked in order, and each of them for every GPU that it matches: a GPU that two entries match is changed
twice. If one of them switches MIG on and the other one off, every apply fails.

The silent failures have numbers here: S1 a filter that matches no GPU, S2 a profile that no GPU has, S3 an entry with
count zero, S4 a GPU that no entry matches, S5 an entry that enables MIG on a GPU without MIG.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache

from mig_fleet.documents import parse
from mig_fleet.model.parted import Entry, PartedFile, read
from mig_fleet.model.profiles import Profile
from mig_fleet.simulator.driver import Driver, Gpu, GpuInstance
from mig_fleet.simulator.driver.text import board
from mig_fleet.simulator.errors import DriverError, PartedError

Config = Sequence[Entry]


@lru_cache(maxsize=16)
def load(content: bytes) -> PartedFile:
    """Parse a config file; the same bytes are parsed once for all nodes. Raises ``MigError`` or ``DocumentError``."""
    return read(parse("config file", content).data)


def is_applied(driver: Driver, config: Config) -> bool:
    """`assert`: the modes of all entries, and then every GPU of the node has what the last entry that matches it says.

    A GPU that no entry matches never equals (S4). Counts are compared as they are written: a count of zero never equals
    a missing profile (S3).
    """
    return mode_is_applied(driver, config) and _devices_are_applied(driver, config)


def mode_is_applied(driver: Driver, config: Config) -> bool:
    """`assert --mode-only`: true where no entry matches a GPU. MIG on never equals on a GPU without MIG (S5)."""
    return all(
        entry.mig_enabled == gpu.mode if gpu.mig_capable else not entry.mig_enabled
        for gpu, entry in _walk(driver, config)
    )


def _devices_are_applied(driver: Driver, config: Config) -> bool:
    """The second half of `assert`: an entry that enables MIG on a GPU with MIG off ends it at once, even if a later
    entry agrees with the GPU (cmd/nvidia-mig-parted/assert/config.go).
    """
    found: dict[int, bool] = {}
    for gpu, entry in _walk(driver, config):
        if entry.mig_enabled and not gpu.mode:
            return False
        found[gpu.index] = not gpu.mode or dict(gpu.counts()) == dict(entry.mig_devices)
    return all(found.get(gpu.index, False) for gpu in driver.gpus)


def apply_mode(driver: Driver, config: Config) -> None:
    """`apply --mode-only`; raises :class:`PartedError` when a client uses a GPU.

    If the mode of one GPU must change, every matched GPU that has MIG on is cleared first, one after the other
    (cmd/nvidia-mig-parted/apply/mode.go): an error leaves the earlier ones cleared and the later ones as they were.
    A mode that stays pending is no error until all GPUs are walked; then mig-parted resets the GPUs by `nvidia-smi -r`,
    which a client prevents. GPUs that no entry matches do not change (S1), nor do GPUs without MIG (S5).
    """
    if mode_is_applied(driver, config):
        return
    pending: dict[int, DriverError] = {}
    for gpu, entry in _capable(driver, config):
        pending.pop(gpu.index, None)
        if gpu.mode:
            _clear(gpu)
        try:
            gpu.set_mode(entry.mig_enabled)
        except DriverError as exc:
            if gpu.pending == gpu.mode:
                raise PartedError(f"error setting MIG mode: {exc}") from None
            pending[gpu.index] = exc
    for reason in pending.values():
        raise PartedError(f"error resetting all GPUs: {reason}")


def leave_mode_pending(driver: Driver, config: Config) -> None:
    """Set the new mode as pending until the next reset; raises :class:`PartedError` if any mode is to change."""
    pending = [(gpu, entry.mig_enabled) for gpu, entry in _capable(driver, config) if gpu.mode != entry.mig_enabled]
    for gpu, enabled in pending:
        gpu.pending = enabled
    if pending:
        raise PartedError("error setting MIG mode: MIG mode change is pending: reset or reboot needed")


def apply(driver: Driver, config: Config) -> None:
    """`apply` after the mode change.

    Raises :class:`PartedError`: the GPU that failed is left without instances, and what is walked after it does not
    change.
    """
    if _devices_are_applied(driver, config):
        return
    for gpu, entry in _capable(driver, config):
        if gpu.mode != entry.mig_enabled:
            raise PartedError(
                f"GPU {gpu.index}: unable to apply MIG config with MIG mode {'on' if gpu.mode else 'off'}"
            )
        if gpu.mode and dict(gpu.counts()) != dict(entry.mig_devices):
            _partition(driver, gpu, _creation_list(driver, entry.mig_devices))


def clear(driver: Driver) -> None:
    """Destroy every instance of the node; raises :class:`PartedError` when a client uses one."""
    for gpu in driver.gpus:
        _clear(gpu)


def _clear(gpu: Gpu) -> None:
    """Destroy the instances in the order of NVML's enum of profiles, the compute instances of each first (config.go,
    `ClearMigConfig`); stops at the first one in use, with the earlier ones destroyed.
    """
    try:
        for instance in sorted(gpu.instances, key=lambda it: gpu.model.profile(it.profile).nvml_enum):
            for compute in sorted(instance.compute, key=lambda it: it.profile_id):
                gpu.destroy_compute_instance(instance.id, compute.id)
            gpu.destroy_gpu_instance(instance.id)
    except DriverError as exc:
        raise PartedError(f"error clearing MIG config: {exc}") from None


def _walk(driver: Driver, config: Config) -> Iterator[tuple[Gpu, Entry]]:
    """Every entry in order, with each GPU that it matches."""
    for entry in config:
        for gpu in driver.gpus:
            if entry.matches(pci_device_id=board(gpu.model), index=gpu.index):
                yield gpu, entry


def _capable(driver: Driver, config: Config) -> Iterator[tuple[Gpu, Entry]]:
    """The same for GPUs with MIG; raises :class:`PartedError` for an entry that enables it by index on another GPU."""
    for gpu, entry in _walk(driver, config):
        if gpu.mig_capable:
            yield gpu, entry
        elif entry.mig_enabled and entry.devices is not None:
            raise PartedError(f"GPU {gpu.index}: cannot set MIG mode on non MIG-capable GPU")


def _creation_list(driver: Driver, mig_devices: Mapping[str, int]) -> list[str]:
    """The devices to create, largest first; empty when no GPU of the node has one of the profiles (S2).

    Upstream's `Flatten` returns nil on the first unknown name; creating no device then succeeds. It sorts by compute
    slices and attributes only: names that differ in nothing else keep the order of a Go map, which is random. Here
    they keep the order of the file.
    """
    devices: list[str] = []
    for name, count in mig_devices.items():
        if not _is_listed(driver, Profile.parse(name)):
            return []
        devices += [name] * count
    return sorted(devices, key=_sort_key, reverse=True)


def _is_listed(driver: Driver, profile: Profile) -> bool:
    """Whether go-nvlib lists a name: the profile on any GPU of the node, and a part that is no odd one, whether or not
    the GPU offers it: 3c of a 4g is not listed (pkg/nvlib/device/device.go, `VisitMigProfiles`).
    """
    part, slices = profile.compute, profile.slices
    if part > slices or part < slices < 2 * part - 1:
        return False
    return any(str(profile.whole) in gpu.model.profiles for gpu in driver.gpus)


def _sort_key(name: str) -> tuple[int, int, str]:
    profile = Profile.parse(name)
    return profile.slices, profile.compute, name.partition("+")[2]


def _partition(driver: Driver, gpu: Gpu, devices: Sequence[str]) -> None:
    """Try every distinct order (config.go, `SetMigConfig`); the driver chooses the placements.

    Before each the GPU is cleared, if it has MIG devices whose names go-nvlib lists: instances without a compute
    instance stay. After the last one it is cleared too.
    """
    failure: Exception | None = None
    for order in _orders(devices):
        try:
            if _creation_list(driver, gpu.counts()):
                _clear(gpu)
            _create_all(gpu, order)
            return
        except (DriverError, PartedError) as exc:
            failure = exc
    with suppress(PartedError):
        _clear(gpu)
    raise PartedError(f"all orderings failed: {failure}")


def _create_all(gpu: Gpu, names: Sequence[str]) -> None:
    """Create the devices in this order: each in the GPU instance that was created last, if that has the same profile
    and room for it; else in a new one.
    """
    last: GpuInstance | None = None
    for name in names:
        profile = Profile.parse(name)
        whole = str(profile.whole)
        if last is not None and last.profile == whole:
            try:
                gpu.split(last.id, profile.compute)
                continue
            except DriverError:
                pass
        last = gpu.create_gpu_instance(whole)
        gpu.split(last.id, profile.compute)


def _orders(devices: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The distinct permutations of a list, in the order in which upstream swaps (`iteratePermutationsUntilSuccess`)."""
    items = list(devices)

    def swapped(start: int) -> Iterator[tuple[str, ...]]:
        if start >= len(items):
            yield tuple(items)
            return
        for other in range(start, len(items)):
            if items[other] in items[start:other]:
                continue
            items[start], items[other] = items[other], items[start]
            yield from swapped(start + 1)
            items[start], items[other] = items[other], items[start]

    yield from swapped(0)

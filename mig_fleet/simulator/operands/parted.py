"""`nvidia-mig-parted`: what it does with a config on a driver, including its silent failures.

Behaviour of mig-parted v0.15.0 (pkg/mig/config/config.go, pkg/types/mig_config.go and the commands apply and assert).
Entries are walked in order, and each of them for every GPU that it matches: a GPU that two entries match is changed
twice. If one of them switches MIG on and the other one off, every apply fails.

The silent failures have numbers here: S1 a filter that matches no GPU, S2 a profile that no GPU has, S3 an entry with
count zero, S4 a GPU that no entry matches, S5 an entry that enables MIG on a GPU without MIG.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from mig_fleet.documents import parse
from mig_fleet.model.errors import MigError
from mig_fleet.model.parted import Entry, PartedFile, read
from mig_fleet.model.profiles import Profile
from mig_fleet.simulator.driver.gpu import Gpu
from mig_fleet.simulator.driver.state import Driver
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
    found = {
        gpu.index: dict(gpu.counts()) == dict(entry.mig_devices) or not (entry.mig_enabled or gpu.mode)
        for gpu, entry in _walk(driver, config)
    }
    return all(found.get(gpu.index, False) for gpu in driver.gpus)


def apply_mode(driver: Driver, config: Config) -> None:
    """`apply --mode-only`; raises :class:`PartedError` when a client uses a GPU.

    If the mode of one GPU must change, every matched GPU that has MIG on is cleared first, one after the other
    (cmd/nvidia-mig-parted/apply/mode.go): an error leaves the earlier ones cleared and the later ones as they were.
    GPUs that no entry matches do not change (S1), nor do GPUs without MIG (S5).
    """
    if mode_is_applied(driver, config):
        return
    for gpu, entry in _capable(driver, config):
        if gpu.mode:
            _clear(gpu)
        try:
            gpu.set_mode(entry.mig_enabled)
        except DriverError as exc:
            raise PartedError(f"error setting MIG mode: {exc}") from None


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
            _partition(gpu, _creation_list(driver, entry.mig_devices))


def clear(driver: Driver) -> None:
    """Destroy every instance of the node; raises :class:`PartedError` when a client uses one."""
    for gpu in driver.gpus:
        _clear(gpu)


def _clear(gpu: Gpu) -> None:
    """Destroy the instances in the order of NVML's profiles, small ones first; stops at the first one in use."""
    try:
        for instance in sorted(gpu.instances, key=lambda it: (_size(it.profile), it.id)):
            gpu.destroy(instance.id)
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

    Upstream's `Flatten` returns nil on the first unknown name; creating no device then succeeds.
    """
    known = {name for gpu in driver.gpus for name in gpu.model.profiles}
    devices: list[str] = []
    for name, count in mig_devices.items():
        if str(Profile.parse(name).whole) not in known:
            return []
        devices += [name] * count
    return sorted(devices, key=lambda name: (_size(name), name), reverse=True)


def _size(name: str) -> tuple[int, int, int]:
    profile = Profile.parse(name)
    return profile.slices, profile.compute, profile.memory_gb


def _partition(gpu: Gpu, devices: list[str]) -> None:
    """Try every distinct order, and clear the GPU before each; the driver chooses the placements."""
    failure: Exception | None = None
    for order in _orders(devices):
        _clear(gpu)
        try:
            for name in order:
                _create(gpu, name)
            return
        except (DriverError, MigError) as exc:
            failure = exc
    _clear(gpu)
    raise PartedError(f"all orderings failed: {failure}")


def _create(gpu: Gpu, name: str) -> None:
    """Create a GPU instance, or a compute instance in the first GPU instance with room, else in a new GPU instance."""
    profile = Profile.parse(name)
    if not profile.is_split:
        gpu.create(name)
        return
    whole = str(profile.whole)
    for instance in gpu.instances:
        used = sum(each.slices for each in instance.compute)
        split_already = all(each.slices < profile.slices for each in instance.compute)
        if instance.profile == whole and split_already and used + profile.compute <= profile.slices:
            gpu.split(instance.id, profile.compute)
            return
    gpu.create(whole, profile.compute)


def _orders(devices: list[str]) -> Iterator[tuple[str, ...]]:
    """The distinct permutations of a list; the first one is the list itself."""
    remaining = Counter(devices)

    def extend(done: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if len(done) == len(devices):
            yield done
            return
        for name in list(remaining):
            if remaining[name]:
                remaining[name] -= 1
                yield from extend((*done, name))
                remaining[name] += 1

    yield from extend(())

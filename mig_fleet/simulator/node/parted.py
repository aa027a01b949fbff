"""What `nvidia-mig-parted` does with a config on a driver, its silent failures included.

Behaviour of mig-parted v0.15.0 (pkg/mig/config/config.go, pkg/types/mig_config.go and the commands apply and assert).
The silent failures have numbers here: S1 a filter that matches nothing, S2 a profile that no GPU has, S3 an entry with
count zero, S4 a GPU that no entry covers, S5 MIG wanted on a GPU without it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import yaml

from mig_fleet.model.errors import MigError
from mig_fleet.model.parted import Entry, PartedFile, read
from mig_fleet.model.profiles import Profile
from mig_fleet.simulator.driver import Driver, Gpu
from mig_fleet.simulator.driver.text import board
from mig_fleet.simulator.errors import DriverError, PartedError
from mig_fleet.simulator.files import LOADER

Config = Sequence[Entry]


@lru_cache(maxsize=16)
def load(content: bytes) -> PartedFile:
    """A config file's meaning; the same bytes are read once for all nodes. Raises ``MigError`` or ``YAMLError``."""
    return read(yaml.load(content, LOADER))


def is_applied(driver: Driver, config: Config) -> bool:
    """`assert`: every GPU of the node must be covered by an entry (S4) and be as that entry says.

    An entry that wants MIG on a GPU that cannot do it never matches (S5), and counts are compared as they are written:
    a zero never equals an absence (S3).
    """
    return all(
        (entry := _last_match(gpu, config)) is not None
        and gpu.mode == entry.mig_enabled
        and dict(gpu.counts()) == dict(entry.mig_devices)
        for gpu in driver.gpus
    )


def mode_is_applied(driver: Driver, config: Config) -> bool:
    """`assert --mode-only`."""
    return all((entry := _last_match(gpu, config)) is not None and gpu.mode == entry.mig_enabled for gpu in driver.gpus)


def apply_mode(driver: Driver, config: Config) -> None:
    """`apply --mode-only`; raises :class:`PartedError` when a GPU is held by a client.

    GPUs that no entry matches stay as they are (S1), and so do GPUs that cannot do MIG (S5).
    """
    for gpu, entry in _matched(driver, config):
        try:
            gpu.set_mode(entry.mig_enabled)
        except DriverError as exc:
            raise PartedError(f"error setting MIG mode: {exc}") from None


def leave_mode_pending(driver: Driver, config: Config) -> None:
    """The GPUs take note of a new mode and change it at the next reset; raises :class:`PartedError` where one did."""
    pending = [(gpu, entry.mig_enabled) for gpu, entry in _matched(driver, config) if gpu.mode != entry.mig_enabled]
    for gpu, enabled in pending:
        gpu.pending = enabled
    if pending:
        raise PartedError("error setting MIG mode: MIG mode change is pending: reset or reboot needed")


def apply(driver: Driver, config: Config) -> None:
    """`apply` after the mode; raises :class:`PartedError`, the GPU at fault left cleared and later ones untouched."""
    for gpu, entry in _matched(driver, config):
        if gpu.mode != entry.mig_enabled:
            raise PartedError(
                f"GPU {gpu.index}: unable to apply MIG config with MIG mode {'on' if gpu.mode else 'off'}"
            )
        if gpu.mode and dict(gpu.counts()) != dict(entry.mig_devices):
            _partition(gpu, _creation_list(driver, entry.mig_devices))


def clear(driver: Driver) -> None:
    """Destroy every instance of the node; raises :class:`PartedError` when one is held by a client."""
    for gpu in driver.gpus:
        _clear(gpu)


def _clear(gpu: Gpu) -> None:
    try:
        gpu.clear()
    except DriverError as exc:
        raise PartedError(f"error clearing MIG config: {exc}") from None


def _matched(driver: Driver, config: Config) -> Iterator[tuple[Gpu, Entry]]:
    for gpu in driver.gpus:
        entry = _last_match(gpu, config)
        if entry is not None and gpu.mig_capable:
            yield gpu, entry


def _last_match(gpu: Gpu, config: Config) -> Entry | None:
    """Entries are applied in order, so that for a GPU matched twice the last one is what remains."""
    found = [entry for entry in config if entry.matches(pci_device_id=board(gpu.model), index=gpu.index)]
    return found[-1] if found else None


def _creation_list(driver: Driver, wanted: Mapping[str, int]) -> list[str]:
    """The devices to create, largest first; nothing at all when one name is unknown to every GPU of the node (S2).

    That is upstream's `Flatten`, which returns nil on the first unknown name; creating nothing then succeeds.
    """
    known = {name for gpu in driver.gpus for name in gpu.model.profiles}
    devices: list[str] = []
    for name, count in wanted.items():
        if str(Profile.parse(name).whole) not in known:
            return []
        devices += [name] * count
    return sorted(devices, key=lambda name: (_size(name), name), reverse=True)


def _size(name: str) -> tuple[int, int, int]:
    profile = Profile.parse(name)
    return profile.slices, profile.compute, profile.memory_gb


def _partition(gpu: Gpu, devices: list[str]) -> None:
    """Every distinct order in turn, the GPU cleared before each; the driver alone chooses the places."""
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
    """A whole slice, or a compute instance in a GPU instance that has room for it, else in a new one."""
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
    """The distinct permutations of a list, beginning with the list as it is."""
    left = Counter(devices)

    def extend(done: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if len(done) == len(devices):
            yield done
            return
        for name in list(left):
            if left[name]:
                left[name] -= 1
                yield from extend((*done, name))
                left[name] += 1

    yield from extend(())

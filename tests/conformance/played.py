"""What the simulator's mig-parted does in a situation, as the exit codes and the states of the genuine one."""

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mig_fleet.model.parted import Entry
from mig_fleet.simulator.driver import Driver
from mig_fleet.simulator.errors import PartedError
from mig_fleet.simulator.operands import parted
from tests.conformance.situations import CONFIG, Situation, describe, tie_key


@dataclass(frozen=True, repr=False)
class Outcome:
    """Exit codes of `assert`, `assert --mode-only`, `apply` and another `assert`, and the GPUs at the end."""

    codes: tuple[int, ...]
    driver: Driver

    def __repr__(self) -> str:
        return "\n".join([f"codes {self.codes}", *describe(self.driver)])


def is_allowed(found: Outcome, situation: Situation) -> bool:
    """Whether the simulator's mig-parted may do the same: all exit codes, and the whole state of each GPU.

    There are several states of a GPU only where mig-parted's is random. It sorts devices by slices and attributes;
    those that are equal in both, 1g.10gb and 1g.20gb, keep the order of a Go map, which differs from GPU to GPU and
    from run to run (pkg/types/mig_config.go, `Flatten`).
    """
    allowed = list(outcomes(situation))
    same_driver = all(
        any(gpu == outcome.driver.gpus[index] for outcome in allowed) for index, gpu in enumerate(found.driver.gpus)
    )
    return same_driver and found.codes in {outcome.codes for outcome in allowed}


def outcomes(situation: Situation) -> Iterator[Outcome]:
    """What the simulator's mig-parted does, and then what it does with other orders of devices that are equal."""
    config = parted.load(situation.file.encode()).select(CONFIG)
    for variant in itertools.product(*(_variants(entry) for entry in config)):
        yield _play(copy.deepcopy(situation.driver), variant)


def _variants(entry: Entry) -> list[Entry]:
    devices = dict(entry.mig_devices)
    groups = [list(group) for _, group in itertools.groupby(sorted(devices, key=tie_key), key=tie_key)]
    if all(len(group) == 1 for group in groups):
        return [entry]
    found = [entry]
    for choice in itertools.product(*(itertools.permutations(group) for group in groups)):
        found.append(replace(entry, mig_devices={name: devices[name] for names in choice for name in names}))
    return found


def _play(driver: Driver, config: parted.Config) -> Outcome:
    before = int(not parted.is_applied(driver, config)), int(not parted.mode_is_applied(driver, config))
    applied = 0
    try:
        parted.apply_mode(driver, config)
        parted.apply(driver, config)
    except PartedError:
        applied = 1
    return Outcome((*before, applied, int(not parted.is_applied(driver, config))), driver)

"""What in an accepted mig-parted file would silently do the wrong thing.

mig-parted checks the format only. What is found here it accepts, applies and reports as success; the numbers S1 to S5
are those of our documentation of its silent failures.
"""

from mig_fleet.model.labels import ALL_DISABLED
from mig_fleet.model.parted.file import PartedFile
from mig_fleet.model.parted.lint import configs, coverage, entries
from mig_fleet.model.parted.lint.finding import ADVICE, Finding, Trap

__all__ = ["ADVICE", "Finding", "Trap", "lint"]


def lint(file: PartedFile, gpus_per_node: int | None = None) -> tuple[Finding, ...]:
    """Every trap of every config. ``gpus_per_node`` adds the check that a config covers every GPU of a node."""
    found: list[Finding] = []
    for name, config in file.configs.items():
        path = f"mig-configs.{name}"
        found += configs.name_traps(path, name)
        for position, entry in enumerate(config):
            found += entries.entry_traps(f"{path}[{position}]", entry)
        found += coverage.overridden(path, config)
        found += coverage.uncovered(path, config, gpus_per_node)
    if ALL_DISABLED in file.configs:
        found += configs.all_disabled_traps(f"mig-configs.{ALL_DISABLED}", file.configs[ALL_DISABLED])
    else:
        text = f"no config {ALL_DISABLED}, which the operator gives to every MIG-capable node without one; add it"
        found.append(Finding("mig-configs", Trap.ALL_DISABLED, text))
    return tuple(found)

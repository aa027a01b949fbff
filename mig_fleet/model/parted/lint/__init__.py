"""Finds what mig-parted accepts, applies and reports as success although it does the wrong thing.

mig-parted itself checks only the format of its file.
"""

from mig_fleet.model.finding import Finding
from mig_fleet.model.labels import ALL_DISABLED
from mig_fleet.model.parted.file import PartedFile
from mig_fleet.model.parted.lint import configs, coverage, entries, overlaps
from mig_fleet.model.parted.lint.rule import LintRule

__all__ = ["LintRule", "lint"]


def lint(file: PartedFile, gpus_per_node: int | None = None) -> tuple[Finding, ...]:
    """The findings of every rule in every config. With ``gpus_per_node``, each config must cover every GPU of a node
    of that size.
    """
    found: list[Finding] = []
    for name, config in file.configs.items():
        path = f"mig-configs.{name}"
        found += configs.check_name(path, name)
        for position, entry in enumerate(config):
            found += entries.check_entry(f"{path}[{position}]", entry)
        found += overlaps.check_overlaps(path, config)
        found += overlaps.check_overridden(path, config)
        found += coverage.check_coverage(path, config, gpus_per_node)
    if ALL_DISABLED in file.configs:
        found += configs.check_all_disabled(f"mig-configs.{ALL_DISABLED}", file.configs[ALL_DISABLED])
    else:
        text = f"no config {ALL_DISABLED}; the operator assigns it to every MIG-capable node without a config; add it"
        found.append(LintRule.ALL_DISABLED_MISSING.finding("mig-configs", text))
    return tuple(found)

"""docs/reference/drift.md: the classes of drift, what each means and what the next update does."""

import re
from collections.abc import Iterator

from mig_fleet.observed.drift import DriftClass
from mig_fleet.rollout.remedy import WRONG, Remedy
from tools.reference_pages.source import ROOT, table

ARCHITECTURE = "docs/architecture.md"


def page() -> str:
    return table("| class | what was observed | remedy |", *_rows())


def _rows() -> Iterator[tuple[str, ...]]:
    """Raises :class:`ValueError` for a row with a name that is no class; tests/contracts finds a missing one."""
    text = (ROOT / ARCHITECTURE).read_text("utf-8").partition("\n## Drift\n")[2].partition("\n### ")[0]
    for names, meaning in re.findall(r"^\| ([^|]+) \| (.+) \|$", text, re.MULTILINE)[1:]:
        found = [DriftClass(name) for name in names.split(", ")]
        remedies = {drift: _remedy(drift) for drift in found}
        same = len({*remedies.values()}) == 1
        remedy = [text if same else f"`{drift}`: {text}" for drift, text in remedies.items() if text]
        yield ", ".join(f"`{drift}`" for drift in found), meaning, "; ".join(dict.fromkeys(remedy))


def _remedy(drift: DriftClass) -> str:
    if drift in WRONG:
        return Remedy.RESTART_MANAGER
    return {
        DriftClass.NOT_RECONCILED: f"{Remedy.RESTORE_AND_RESTART}, if it is stuck",
        DriftClass.OPERANDS_PAUSED: Remedy.RESTORE_OPERANDS,
        DriftClass.ALLOCATABLE_STALE: Remedy.RESTART_PLUGIN,
    }.get(drift, "")

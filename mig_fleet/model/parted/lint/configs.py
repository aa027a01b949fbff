"""What is wrong with a config as a whole: its name, and what is called ``all-disabled``."""

import re
from collections.abc import Iterable, Sequence

from mig_fleet.model.errors import shown
from mig_fleet.model.labels import ALL_DISABLED, CONFIG
from mig_fleet.model.parted.file import Entry
from mig_fleet.model.parted.lint.finding import Finding, Trap

# Kubernetes, apimachinery/pkg/util/validation: IsValidLabelValue.
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def name_traps(path: str, config: str) -> Iterable[Finding]:
    """A config that no node can be given, because its name cannot be a label's value."""
    if _LABEL_VALUE.fullmatch(config):
        return
    # NVIDIA writes all-1g.10gb.me for the profile 1g.10gb+me.
    near = re.sub(r"[^-A-Za-z0-9_.]+", "-", config.replace("+", "."))[:63].strip("-_.")
    text = f"{shown(config)} cannot be the value of the label {CONFIG}, so no node can be given this config"
    yield Finding(path, Trap.NAME, f"{text}; write {near or 'letters and digits'}")


def all_disabled_traps(path: str, entries: Sequence[Entry]) -> Iterable[Finding]:
    """``all-disabled`` that leaves MIG on: the operator gives it to every MIG-capable node without a config."""
    given = "the operator gives this config to every MIG-capable node without one"
    for position, entry in enumerate(entries):
        if entry.mig_enabled:
            text = f"{ALL_DISABLED} switches MIG on, and {given}; give these entries another name"
            yield Finding(f"{path}[{position}]", Trap.NOT_DISABLED, text)
            return
    if all(entry.device_filter for entry in entries):
        text = f"{ALL_DISABLED} leaves GPUs that no filter names as they are, and {given}; take the device-filter out"
        yield Finding(path, Trap.NOT_DISABLED, text)

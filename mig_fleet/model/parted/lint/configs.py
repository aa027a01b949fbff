"""Rules for a config as a whole: its name, and the meaning of ``all-disabled``."""

import re
from collections.abc import Iterable, Sequence

from mig_fleet.model.finding import Finding
from mig_fleet.model.labels import ALL_DISABLED, CONFIG
from mig_fleet.model.parted.file import Entry
from mig_fleet.model.parted.lint.rule import LintRule
from mig_fleet.model.short_repr import format_value

# Kubernetes, apimachinery/pkg/util/validation: IsValidLabelValue.
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def check_name(path: str, config: str) -> Iterable[Finding]:
    """The name must be a label value; otherwise no node can be assigned the config."""
    if _LABEL_VALUE.fullmatch(config):
        return
    # NVIDIA writes all-1g.10gb.me for the profile 1g.10gb+me.
    valid = re.sub(r"[^-A-Za-z0-9_.]+", "-", config.replace("+", "."))[:63].strip("-_.")
    text = f"{format_value(config)} cannot be the value of the label {CONFIG}, so no node can be assigned this config"
    yield LintRule.INVALID_NAME.finding(path, f"{text}; write {valid or 'letters and digits'}")


def check_all_disabled(path: str, entries: Sequence[Entry]) -> Iterable[Finding]:
    """``all-disabled`` must disable MIG on every GPU, because the operator assigns it to every MIG-capable node without
    a config.
    """
    assigned = "the operator assigns this config to every MIG-capable node without one"
    for position, entry in enumerate(entries):
        if entry.mig_enabled:
            text = f"{ALL_DISABLED} enables MIG, but {assigned}; move its entries to a config of another name"
            yield LintRule.NOT_ALL_DISABLED.finding(f"{path}[{position}]", text)
            return
    if all(entry.device_filter for entry in entries):
        text = f"{ALL_DISABLED} skips GPUs that match no filter, but {assigned}; remove the device-filter"
        yield LintRule.NOT_ALL_DISABLED.finding(path, text)

"""Rules for one entry of a config: its device filter, its devices, its profiles."""

from collections.abc import Iterable

from mig_fleet.model.finding import Finding
from mig_fleet.model.gpus import GpuModel, all_models, by_pci
from mig_fleet.model.manager_versions import BOARD_FILTERS
from mig_fleet.model.parted.file import Entry, filter_ids
from mig_fleet.model.parted.lint.rule import LintRule
from mig_fleet.model.parted.selection import selected_models
from mig_fleet.model.placement import Verdict, explain, prove
from mig_fleet.model.profiles import Profile
from mig_fleet.model.short_repr import format_value
from mig_fleet.model.strategy import Strategy, strategy_conflicts

_NVIDIA = 0x10DE
_SUCCESS_REPORTED = "mig-parted would wipe the GPU, create nothing and report success"


def check_entry(path: str, entry: Entry) -> Iterable[Finding]:
    """The findings of one entry, whatever other entries the config has."""
    yield from _check_filter(f"{path}.device-filter", entry)
    if entry.devices is not None and all(index < 0 for index in entry.devices):
        text = "the list selects no GPU; write all, or indexes from 0"
        yield LintRule.UNCOVERED.finding(f"{path}.devices", text)
    if not entry.mig_enabled:
        return
    if not entry.device_filter:
        text = "no device-filter: a GPU without these profiles would be wiped, one without MIG fails assert forever"
        yield LintRule.OTHER_GPUS_SELECTED.finding(path, f"{text}; add the device ids of the intended GPUs")
    profiles_path = f"{path}.mig-devices"
    for name, count in entry.mig_devices.items():
        canonical = str(Profile.parse(name))
        repeated = "can be applied but never compares equal, so every run of mig-parted applies it again"
        if canonical != name:
            text = f"{format_value(name)} {repeated}; write {canonical}"
            yield LintRule.NEVER_EQUAL.finding(f"{profiles_path}.{name}", text)
        if count == 0:
            yield LintRule.NEVER_EQUAL.finding(f"{profiles_path}.{name}", f"a count of 0 {repeated}; remove {name}")
    if not entry.mig_devices:
        text = "enables MIG without any instance, so no pod can use these GPUs until instances are created"
        yield LintRule.NO_INSTANCE.finding(profiles_path, text)
        return
    for text in strategy_conflicts(Strategy.MIXED, [entry.mig_devices]):
        yield LintRule.SPLIT.finding(profiles_path, f"under strategy mixed, {text}")
    yield from _check_profiles(profiles_path, entry)


def _check_filter(path: str, entry: Entry) -> Iterable[Finding]:
    for word in entry.device_filter:
        number, board = filter_ids(word)
        if board:
            text = f"{word} needs {BOARD_FILTERS} or newer; an older one matches no GPU with it, and reports success"
            yield LintRule.NEWER_MANAGER.finding(path, text)
        if number & 0xFFFF == _NVIDIA and board != 0:
            if entry.mig_enabled and by_pci(f"0x{number:08X}") is None:
                text = f"{word} is no GPU of the catalog, so whether it does MIG, and with which profiles, is not known"
                yield LintRule.UNPROVEN.finding(path, text)
            continue
        text = f"{format_value(word)} matches no GPU, and mig-parted does not report it; {_remedy(word)}"
        yield LintRule.FILTER_MATCHES_NOTHING.finding(path, text)


def _remedy(word: str) -> str:
    """The device ids that were probably meant, in the one form that mig-parted can read."""
    folded = word.casefold()
    known = [pci for model in all_models() for pci in model.pci_device_ids]
    for pci in known:
        if pci[2:6].casefold() in folded:
            return f'write "{pci}"'
    named = [model for model in all_models() if folded in {model.name.casefold(), model.short.casefold()}]
    near = named or [model for model in all_models() if model.short.casefold().startswith(f"{folded}-")]
    ids = [pci for model in near for pci in model.pci_device_ids]
    quoted = ", ".join(f'"{pci}"' for pci in ids)
    return f"write {quoted}" if ids else 'ids look like "0x233010DE", device then vendor'


def _check_profiles(path: str, entry: Entry) -> Iterable[Finding]:
    selected = selected_models(entry)
    profiles = {name: count for name, count in entry.mig_devices.items() if count}
    if not selected:
        return
    able = [model for model in selected if all(model.knows(name) for name in profiles)]
    if not able:
        text = f"{_missing(entry, selected, sorted(profiles))}; {_SUCCESS_REPORTED}"
        yield LintRule.UNKNOWN_PROFILE.finding(path, text)
        return
    if entry.device_filter:
        for model in selected:
            if model not in able:
                missing = ", ".join(name for name in profiles if not model.knows(name))
                text = f"{model.short} is also selected but has no {missing}; {_SUCCESS_REPORTED}"
                yield LintRule.UNKNOWN_PROFILE.finding(path, text)
    proofs = [prove(model, profiles) for model in able]
    if not entry.device_filter:
        # The author means one GPU model, the one with these profiles, so it is enough if one model may work.
        if any(proof.verdict is Verdict.FEASIBLE for proof in proofs):
            return
        proofs = [proof for proof in proofs if proof.verdict is Verdict.UNPROVEN] or proofs
    for proof in proofs:
        if proof.verdict is Verdict.IMPOSSIBLE:
            yield LintRule.IMPOSSIBLE.finding(path, f"impossible on {proof.gpu.short}: {explain(proof)}")
        elif proof.verdict is Verdict.UNPROVEN:
            yield LintRule.UNPROVEN.finding(path, f"unproven on {proof.gpu.short}: {explain(proof)}")


def _missing(entry: Entry, selected: tuple[GpuModel, ...], profiles: list[str]) -> str:
    """Which profiles no selected GPU model has: ``A100-80GB has no 1g.5gb``."""
    unknown = [name for name in profiles if not any(model.knows(name) for model in selected)]
    has = f"has {', '.join(unknown)}" if unknown else f"has all of {', '.join(profiles)}"
    if not entry.device_filter:
        return f"no GPU of the catalog {has}"
    if len(selected) == 1:
        return f"{selected[0].short} has no {', '.join(unknown)}"
    return f"none of {', '.join(model.short for model in selected)} {has}"

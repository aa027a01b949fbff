"""What is wrong with an entry: its filter, its devices, its profiles."""

from collections.abc import Iterable

from mig_fleet.model.errors import shown
from mig_fleet.model.gpus import all_models, by_pci
from mig_fleet.model.parted.file import Entry, filter_ids
from mig_fleet.model.parted.lint.finding import Finding, Trap
from mig_fleet.model.parted.selection import models_concerned
from mig_fleet.model.placement import Verdict, prove
from mig_fleet.model.profiles import Profile
from mig_fleet.model.strategy import Strategy, conflicts


def entry_traps(path: str, entry: Entry) -> Iterable[Finding]:
    """The traps of one entry, whatever stands beside it."""
    yield from _filters(f"{path}.device-filter", entry)
    if entry.devices is not None and all(index < 0 for index in entry.devices):
        yield Finding(f"{path}.devices", Trap.UNCOVERED, "the list selects no GPU; write all, or indexes from 0")
    if not entry.mig_enabled:
        return
    if not entry.device_filter:
        text = "no device-filter: a GPU without these profiles would be wiped, one without MIG fails assert forever"
        yield Finding(path, Trap.MIXED, f"{text}; add the ids of the GPUs it is meant for")
    where = f"{path}.mig-devices"
    for name, count in entry.mig_devices.items():
        canonical = str(Profile.parse(name))
        if canonical != name:
            text = f"{shown(name)} applies but never compares equal, so each pass repeats it; write {canonical}"
            yield Finding(f"{where}.{name}", Trap.ASSERT, text)
        if count == 0:
            text = f"a count of 0 applies but never compares equal, so each pass repeats it; leave {name} out"
            yield Finding(f"{where}.{name}", Trap.ASSERT, text)
    if not entry.mig_devices:
        text = "MIG is switched on without any instance, so no pod can use these GPUs until somebody makes some"
        yield Finding(where, Trap.EMPTY, text)
        return
    for text in conflicts(Strategy.MIXED, [entry.mig_devices]):
        yield Finding(where, Trap.SPLIT, f"under strategy mixed, {text}")
    yield from _profiles(where, entry)


def _filters(path: str, entry: Entry) -> Iterable[Finding]:
    for word in entry.device_filter:
        number, board = filter_ids(word)
        vendor = number & 0xFFFF
        if vendor == 0x10DE and board != 0:
            if by_pci(f"0x{number:08X}") is None:
                text = f"{word} is no GPU that does MIG according to the catalog; nothing can be proven about it"
                yield Finding(path, Trap.UNPROVEN, text)
            continue
        yield Finding(path, Trap.FILTER, f"{shown(word)} matches no GPU, silently; {_remedy(word)}")


def _remedy(word: str) -> str:
    """The id that was probably meant, in the one form that works."""
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


def _profiles(path: str, entry: Entry) -> Iterable[Finding]:
    selected = models_concerned(entry)
    wanted = {name: count for name, count in entry.mig_devices.items() if count}
    if not selected:
        return
    able = [model for model in selected if all(model.knows(name) for name in wanted)]
    if not able:
        missing = [name for name in wanted if not any(model.knows(name) for model in selected)] or sorted(wanted)
        whom = ", ".join(model.short for model in selected) if entry.device_filter else "no GPU of the catalog"
        text = f"{', '.join(missing)}: {whom} {'lacks this' if entry.device_filter else 'has this'}"
        yield Finding(path, Trap.PROFILE, f"{text}; the GPU would be wiped, nothing created, and success reported")
        return
    if entry.device_filter:
        for model in selected:
            if model not in able:
                lacking = ", ".join(name for name in wanted if not model.knows(name))
                text = f"{model.short} is selected too but has no {lacking}; it would be wiped and success reported"
                yield Finding(path, Trap.PROFILE, text)
    proofs = [prove(model, wanted) for model in able]
    if not entry.device_filter:
        # Such an entry is meant for the one model that its names stand for, so one where it may work is enough.
        if any(proof.verdict is Verdict.FEASIBLE for proof in proofs):
            return
        proofs = [proof for proof in proofs if proof.verdict is Verdict.UNPROVEN] or proofs
    for proof in proofs:
        if proof.verdict is Verdict.IMPOSSIBLE:
            yield Finding(path, Trap.IMPOSSIBLE, f"cannot be on {proof.gpu.short}: {proof.reason}")
        elif proof.verdict is Verdict.UNPROVEN:
            yield Finding(path, Trap.UNPROVEN, f"no proof for {proof.gpu.short}: {proof.reason}")

"""What in an accepted mig-parted file would silently do the wrong thing.

mig-parted checks the format only. What is found here it accepts, applies and reports as success; the numbers S1 to S5
are those of our documentation of its silent failures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from mig.errors import shown
from mig.gpus import GpuModel, all_models, by_pci
from mig.labels import ALL_DISABLED
from mig.parted.file import Entry, PartedFile, filter_ids
from mig.placement import Verdict, prove
from mig.profiles import Profile


class Trap(StrEnum):
    """The kinds of findings."""

    FILTER = "S1-filter-matches-nothing"
    PROFILE = "S2-no-gpu-has-profile"
    ASSERT = "S3-assert-never-equal"
    UNCOVERED = "S4-gpu-uncovered"
    OPEN = "S4-node-size-unknown"
    MIXED = "S5-other-gpus-selected"
    IMPOSSIBLE = "impossible"
    UNPROVEN = "unproven"
    ALL_DISABLED = "all-disabled-missing"


ADVICE = frozenset({Trap.OPEN, Trap.MIXED})
"""Traps that depend on the nodes, of which a file says nothing: whether they spring is for the reader to know."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A trap, where in the file it lies (``mig-configs.name[0]``), and a sentence with the remedy."""

    path: str
    trap: Trap
    text: str


_LISTED = 16
"""GPUs of a node that a sentence names one by one."""


def lint(file: PartedFile, gpus_per_node: int | None = None) -> tuple[Finding, ...]:
    """Every trap of every config. ``gpus_per_node`` adds the check that a config covers every GPU of a node."""
    found: list[Finding] = []
    for name, entries in file.configs.items():
        for position, entry in enumerate(entries):
            found += _entry(f"mig-configs.{name}[{position}]", entry)
        found += _coverage(f"mig-configs.{name}", entries, gpus_per_node)
    if ALL_DISABLED not in file.configs:
        text = f"no config {ALL_DISABLED}, which the operator gives to every MIG-capable node without one; add it"
        found.append(Finding("mig-configs", Trap.ALL_DISABLED, text))
    return tuple(found)


def models_of(entry: Entry) -> tuple[GpuModel, ...]:
    """The catalog's models that an entry's filter selects; every model for an entry without one."""
    if not entry.device_filter:
        return all_models()
    return tuple(model for model in all_models() if any(map(entry.selects, model.pci_device_ids)))


def _concerned(entry: Entry) -> tuple[GpuModel, ...]:
    """The models that an entry's filter selects on one board at least: what a chip cannot do, no board of it can."""
    return tuple(model for model in all_models() if any(map(entry.may_select, model.pci_device_ids)))


def _entry(path: str, entry: Entry) -> Iterable[Finding]:
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
        yield Finding(where, Trap.ASSERT, "MIG is switched on without any instance: no pod can use these GPUs")
        return
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
    selected = _concerned(entry)
    wanted = {name: count for name, count in entry.mig_devices.items() if count}
    if not selected:
        return
    able = [model for model in selected if all(_has(model, name) for name in wanted)]
    if not able:
        missing = [name for name in wanted if not any(_has(model, name) for model in selected)] or sorted(wanted)
        whom = ", ".join(model.short for model in selected) if entry.device_filter else "no GPU of the catalog"
        text = f"{', '.join(missing)}: {whom} {'lacks this' if entry.device_filter else 'has this'}"
        yield Finding(path, Trap.PROFILE, f"{text}; the GPU would be wiped, nothing created, and success reported")
        return
    if entry.device_filter:
        for model in selected:
            if model not in able:
                lacking = ", ".join(name for name in wanted if not _has(model, name))
                text = f"{model.short} is selected too but has no {lacking}; it would be wiped and success reported"
                yield Finding(path, Trap.PROFILE, text)
    proofs = [prove(model, wanted) for model in able]
    if any(proof.verdict is Verdict.FEASIBLE for proof in proofs) and not entry.device_filter:
        return
    for proof in proofs:
        if proof.verdict is Verdict.IMPOSSIBLE:
            yield Finding(path, Trap.IMPOSSIBLE, f"cannot be on {proof.gpu.short}: {proof.reason}")
        elif proof.verdict is Verdict.UNPROVEN:
            yield Finding(path, Trap.UNPROVEN, f"no proof for {proof.gpu.short}: {proof.reason}")


def _has(model: GpuModel, name: str) -> bool:
    profile = Profile.parse(name)
    row = model.profiles.get(str(profile.whole))
    return row is not None and (not profile.is_split or profile.compute in {ci.slices for ci in row.compute_instances})


def _coverage(path: str, entries: Sequence[Entry], gpus_per_node: int | None) -> Iterable[Finding]:
    by_filter: dict[tuple[str, ...], set[int] | None] = {}
    for entry in entries:
        covered = by_filter.get(entry.device_filter, set())
        named = {index for index in entry.devices or () if index >= 0}
        both = None if covered is None or entry.devices is None else covered | named
        by_filter[entry.device_filter] = both
    everywhere = by_filter.get((), set())
    for words, covered in by_filter.items():
        if covered is None or everywhere is None:
            continue
        indexes = covered | everywhere
        last = max(indexes, default=0) if gpus_per_node is None else gpus_per_node - 1
        # An index may be any number of 64 bits; a list of all those below it would never end.
        bare = list(islice((index for index in range(last + 1) if index not in indexes), _LISTED + 1))
        whom = f" of {', '.join(words)}" if words else ""
        consequence = "assert fails forever and each manager restart repeats the change; cover all GPUs"
        if bare:
            listed = ", ".join(map(str, bare[:_LISTED])) + (" and more" if len(bare) > _LISTED else "")
            text = f"GPU {listed}{whom} is in no entry: {consequence}"
            yield Finding(path, Trap.UNCOVERED, text)
        elif gpus_per_node is None:
            yield Finding(path, Trap.OPEN, f"a GPU{whom} above {last} would be in no entry; there {consequence}")

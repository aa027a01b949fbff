"""Rules for GPUs that several entries of a config select.

mig-parted applies every entry, one after the other: first the MIG modes of all of them, then their instances
(cmd/nvidia-mig-parted/apply; measured with v0.13.1 and v0.15.0).
"""

from collections.abc import Iterable, Iterator, Sequence

from mig_fleet.model.finding import Finding
from mig_fleet.model.parted.file import Entry
from mig_fleet.model.parted.lint.coverage import DeviceKind, indexes_of, listed, selecting
from mig_fleet.model.parted.lint.rule import LintRule

_MODE = {True: "on", False: "off"}


def check_overlaps(path: str, entries: Sequence[Entry]) -> Iterable[Finding]:
    """The first earlier entry that contradicts an entry: in the MIG mode of a GPU, which no change can apply, or in its
    instances, which each change then destroys and creates again.
    """
    found: dict[tuple[int, LintRule], str] = {}
    for earlier, later, gpus in _overlaps(entries):
        one, other = entries[earlier], entries[later]
        if one.mig_enabled != other.mig_enabled:
            text = (
                f"switches MIG {_MODE[other.mig_enabled]} for {gpus}, and entry {earlier} switches it "
                f"{_MODE[one.mig_enabled]}: mig-parted applies both, so every change fails"
            )
            found.setdefault((later, LintRule.CONTRADICTING), text)
        elif one.mig_devices != other.mig_devices:
            text = (
                f"gives {gpus} other instances than entry {earlier}: mig-parted applies both, so a change of any GPU "
                "destroys these instances and fails if a pod uses one"
            )
            found.setdefault((later, LintRule.APPLIED_TWICE), text)
    for (position, rule), text in found.items():
        yield rule.finding(f"{path}[{position}]", f"{text}; let one entry select each GPU")


def check_overridden(path: str, entries: Sequence[Entry]) -> Iterable[Finding]:
    """Nothing is left of an entry if later entries cover every GPU that it covers."""
    own = list(map(indexes_of, entries))
    covering: set[int] = set()
    winning: set[int] = set()
    for positions in selecting(entries).values():
        later: frozenset[int] | None = frozenset()
        for position in reversed(positions):
            covered = own[position]
            if covered != frozenset():
                covering.add(position)
            if later is not None and (covered is None or not covered <= later):
                winning.add(position)
                later = None if covered is None else later | covered
    for position in sorted(covering - winning):
        text = "later entries replace it on every GPU that it covers; remove this entry"
        yield LintRule.OVERRIDDEN.finding(f"{path}[{position}]", text)


def _overlaps(entries: Sequence[Entry]) -> Iterator[tuple[int, int, str]]:
    """Positions of two entries that select the same GPU and differ, and these GPUs; for each later entry the first
    earlier ones of each mode are enough.
    """
    own, kinds = list(map(indexes_of, entries)), selecting(entries)
    for kind, positions in kinds.items():
        of_kind = "" if list(kinds) == [DeviceKind()] else f" of {kind}"
        everywhere, anywhere, of_gpu = _Selected(entries), _Selected(entries), dict[int, _Selected]()
        for later in positions:
            indexes = own[later]
            if indexes == frozenset():
                continue
            named = [of_gpu.setdefault(index, _Selected(entries)) for index in indexes or ()]
            there = [anywhere] if indexes is None else [everywhere, *named]
            for earlier in sorted({position for selected in there for position in selected.unlike(entries[later])}):
                both = [found for found in (own[earlier], indexes) if found is not None]
                gpus = f"GPU {listed(sorted(frozenset.intersection(*both)))}" if both else "every GPU"
                yield earlier, later, f"{gpus}{of_kind}"
            for selected in (anywhere, *(named or [everywhere])):
                selected.add(later)


class _Selected:
    """The entries that select a GPU, in order: of each MIG mode the first, and the first with other instances."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._of_mode: dict[bool, list[int]] = {True: [], False: []}

    def add(self, position: int) -> None:
        found, added = self._of_mode[self._entries[position].mig_enabled], self._entries[position]
        if not found or (len(found) == 1 and self._entries[found[0]].mig_devices != added.mig_devices):
            found.append(position)

    def unlike(self, entry: Entry) -> Iterator[int]:
        """The first with the other mode, and the first with this mode and other instances."""
        same = self._of_mode[entry.mig_enabled]
        yield from self._of_mode[not entry.mig_enabled][:1]
        yield from [position for position in same if self._entries[position].mig_devices != entry.mig_devices][:1]

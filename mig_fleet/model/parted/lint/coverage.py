"""Rules for the GPUs that the entries of a config cover: by index, for each kind of device that the filters select."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from mig_fleet.model.finding import Finding
from mig_fleet.model.parted.file import Entry, filter_ids
from mig_fleet.model.parted.lint.rule import LintRule


@dataclass(frozen=True, slots=True)
class DeviceKind:
    """GPUs with one device id and, if a filter names it, one subsystem id (``board``). Without a device id: all GPUs
    that no filter names.
    """

    device: str = ""
    board: str | None = None

    def __str__(self) -> str:
        return (f"{self.device}:{self.board}" if self.board else self.device) or "any other device id"


_MOST_LISTED = 16
"""A message lists at most this many GPU indexes."""
_CONSEQUENCE = "assert fails forever and each restart of MIG Manager repeats the change; cover all GPUs"


def check_coverage(path: str, entries: Sequence[Entry], gpus_per_node: int | None) -> Iterable[Finding]:
    """If an entry covers one GPU of a kind, entries must cover every GPU of that kind."""
    kinds, own = selecting(entries), list(map(indexes_of, entries))
    alike: dict[frozenset[int], list[DeviceKind]] = {}
    for kind, positions in kinds.items():
        covered = [own[position] for position in positions]
        if None not in covered:
            alike.setdefault(frozenset[int]().union(*filter(None, covered)), []).append(kind)
    together = frozenset[int]().union(*alike)
    if len(alike) > 1 and all(alike) and sum(map(len, alike)) == len(together):
        # No two kinds share an index, so these are the GPUs of one node.
        text = f"{_shares(alike)}: on a node without this mix, {_CONSEQUENCE}"
        yield LintRule.DEPENDS_ON_NODE.finding(path, text)
        alike = {together: []}
    for indexes, some in alike.items():
        last = max(indexes, default=0) if gpus_per_node is None else gpus_per_node - 1
        # An index may be any 64-bit number; a list of all indexes below it could be endless.
        bare = list(islice((index for index in range(last + 1) if index not in indexes), _MOST_LISTED + 1))
        of_kinds = f" of {', '.join(map(str, some))}" if some and list(kinds) != [DeviceKind()] else ""
        if bare:
            depends = some and all(_is_rest(kind, kinds) for kind in some)
            rule = LintRule.DEPENDS_ON_NODE if depends else LintRule.UNCOVERED
            yield rule.finding(path, f"GPU {listed(bare)}{of_kinds} has no entry: {_CONSEQUENCE}")
        elif gpus_per_node is None:
            text = f"a GPU{of_kinds} above {last} would have no entry; on a node with such a GPU, {_CONSEQUENCE}"
            yield LintRule.DEPENDS_ON_NODE.finding(path, text)


def selecting(entries: Sequence[Entry]) -> dict[DeviceKind, list[int]]:
    """Each device kind that the filters distinguish, with the positions of the entries that select it, in order."""
    filters = [[_kind(word) for word in entry.device_filter if 0 not in filter_ids(word)] for entry in entries]
    found: dict[DeviceKind, list[int]] = {kind: [] for kinds in filters for kind in kinds}
    found |= {DeviceKind(): [] for entry in entries if not entry.device_filter}
    boards: dict[str, list[DeviceKind]] = {}
    for kind in found:
        boards.setdefault(kind.device, []).append(kind)
    for position, entry in enumerate(entries):
        named = (boards[kind.device] if kind.board is None else [kind] for kind in filters[position])
        for kind in {kind for kinds in named for kind in kinds} if entry.device_filter else found:
            found[kind].append(position)
    return found


def _kind(word: str) -> DeviceKind:
    device, board = filter_ids(word)
    return DeviceKind(f"0x{device:08X}", None if board is None else f"0x{board:08X}")


def _is_rest(kind: DeviceKind, kinds: Iterable[DeviceKind]) -> bool:
    """Whether this kind is only the GPUs that no other filter of the config selects: the nodes may have no such GPU."""
    return kind.board is None and any(kind.device in ("", other.device) for other in kinds if other != kind)


def indexes_of(entry: Entry) -> frozenset[int] | None:
    """The GPU indexes that an entry names; None is all."""
    return None if entry.devices is None else frozenset(index for index in entry.devices if index >= 0)


def _shares(alike: Mapping[frozenset[int], Sequence[DeviceKind]]) -> str:
    """Which GPU indexes each kind has on a node with several kinds."""
    return ", ".join(f"{', '.join(map(str, kinds))} has GPU {listed(sorted(some))}" for some, kinds in alike.items())


def listed(indexes: Sequence[int]) -> str:
    return ", ".join(map(str, indexes[:_MOST_LISTED])) + (" and more" if len(indexes) > _MOST_LISTED else "")

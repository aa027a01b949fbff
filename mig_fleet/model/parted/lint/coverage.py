"""Which GPUs the entries of a config reach, index by index, for each kind of GPU that its filters tell apart."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from mig_fleet.model.parted.file import Entry, filter_ids
from mig_fleet.model.parted.lint.finding import Finding, Trap


@dataclass(frozen=True, slots=True)
class Kind:
    """GPUs of one device id and, where a filter names one, of one board; without an id, all that no filter names."""

    device: str = ""
    board: str | None = None

    def __str__(self) -> str:
        return (f"{self.device}:{self.board}" if self.board else self.device) or "any other device id"


_LISTED = 16
"""GPUs of a node that a sentence names one by one."""
_CONSEQUENCE = "assert fails forever and each manager restart repeats the change; cover all GPUs"


def uncovered(path: str, entries: Sequence[Entry], gpus_per_node: int | None) -> Iterable[Finding]:
    """GPUs of a node that no entry reaches, although another one of their kind is reached."""
    kinds, own = _selecting(entries), list(map(_indexes, entries))
    alike: dict[frozenset[int], list[Kind]] = {}
    for kind, selecting in kinds.items():
        reached = [own[position] for position in selecting]
        if None not in reached:
            alike.setdefault(frozenset[int]().union(*filter(None, reached)), []).append(kind)
    together = frozenset[int]().union(*alike)
    if len(alike) > 1 and all(alike) and sum(map(len, alike)) == len(together):
        # No two share an index: these are the GPUs of one node.
        text = f"{_shares(alike)}: on a node that does not mix them so, {_CONSEQUENCE}"
        yield Finding(path, Trap.OPEN, text)
        alike = {together: []}
    for indexes, some in alike.items():
        last = max(indexes, default=0) if gpus_per_node is None else gpus_per_node - 1
        # An index may be any number of 64 bits; a list of all those below it would never end.
        bare = list(islice((index for index in range(last + 1) if index not in indexes), _LISTED + 1))
        whom = f" of {', '.join(map(str, some))}" if some and list(kinds) != [Kind()] else ""
        if bare:
            trap = Trap.OPEN if some and all(_is_rest(kind, kinds) for kind in some) else Trap.UNCOVERED
            yield Finding(path, trap, f"GPU {_listed(bare)}{whom} is in no entry: {_CONSEQUENCE}")
        elif gpus_per_node is None:
            yield Finding(path, Trap.OPEN, f"a GPU{whom} above {last} would be in no entry; there {_CONSEQUENCE}")


def overridden(path: str, entries: Sequence[Entry]) -> Iterable[Finding]:
    """Entries without a meaning: whatever GPU they reach, a later one reaches it too, and the last one wins."""
    own = list(map(_indexes, entries))
    reaching: set[int] = set()
    winning: set[int] = set()
    for selecting in _selecting(entries).values():
        later: frozenset[int] | None = frozenset()
        for position in reversed(selecting):
            reached = own[position]
            if reached != frozenset():
                reaching.add(position)
            if later is not None and (reached is None or not reached <= later):
                winning.add(position)
                later = None if reached is None else later | reached
    for position in sorted(reaching - winning):
        text = "later entries reach every GPU that this one reaches, and the last one wins; take this one out"
        yield Finding(f"{path}[{position}]", Trap.OVERRIDDEN, text)


def _selecting(entries: Sequence[Entry]) -> dict[Kind, list[int]]:
    """The kinds of GPUs that the entries tell apart, each with the entries that select it, in their order."""
    filters = [[_kind(word) for word in entry.device_filter if 0 not in filter_ids(word)] for entry in entries]
    found: dict[Kind, list[int]] = {kind: [] for kinds in filters for kind in kinds}
    found |= {Kind(): [] for entry in entries if not entry.device_filter}
    boards: dict[str, list[Kind]] = {}
    for kind in found:
        boards.setdefault(kind.device, []).append(kind)
    for position, entry in enumerate(entries):
        named = (boards[kind.device] if kind.board is None else [kind] for kind in filters[position])
        for kind in {kind for kinds in named for kind in kinds} if entry.device_filter else found:
            found[kind].append(position)
    return found


def _kind(word: str) -> Kind:
    device, board = filter_ids(word)
    return Kind(f"0x{device:08X}", None if board is None else f"0x{board:08X}")


def _is_rest(kind: Kind, kinds: Iterable[Kind]) -> bool:
    """Whether this is what others of the config leave over, which may be no GPU at all."""
    return kind.board is None and any(kind.device in ("", other.device) for other in kinds if other != kind)


def _indexes(entry: Entry) -> frozenset[int] | None:
    """The GPUs of a node that an entry names; None is all."""
    return None if entry.devices is None else frozenset(index for index in entry.devices if index >= 0)


def _shares(alike: Mapping[frozenset[int], Sequence[Kind]]) -> str:
    """Who has which GPUs of a node on which device ids are mixed."""
    return ", ".join(f"{', '.join(map(str, kinds))} has GPU {_listed(sorted(some))}" for some, kinds in alike.items())


def _listed(indexes: Sequence[int]) -> str:
    return ", ".join(map(str, indexes[:_LISTED])) + (" and more" if len(indexes) > _LISTED else "")

"""Which nodes of a pool change together.

A node's wave follows from its own name and from how full the wave is, so that a node that joins or leaves moves only
its nearest neighbours: nodes are the leaves of a binary trie over the hash of their names, and a leaf with more nodes
than may be unavailable at once splits in two. Nothing is stored, and no wave is larger than allowed.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

CANARY = "canary"


@dataclass(frozen=True)
class Pace:
    """How many nodes of a pool may be unavailable at once (a number or a share: ``25%``), and how many change first."""

    max_unavailable: int | str = "25%"
    canary: int = 0

    def limit(self, nodes: int) -> int:
        """The most nodes at once out of ``nodes``; a share is rounded down, but to at least one."""
        if isinstance(self.max_unavailable, int):
            return self.max_unavailable
        return max(1, nodes * int(self.max_unavailable.removesuffix("%")) // 100)


def waves(nodes: Iterable[str], pace: Pace) -> dict[str, tuple[str, ...]]:
    """Wave → its nodes by name, in the order in which the waves run.

    The canary is called ``canary``, the others ``wave-0``, or ``wave-00`` and ``wave-01`` where that one is too large,
    and so on.

    >>> dict(waves(["a", "b", "c"], Pace(max_unavailable=2)))
    {'wave-00': ('b', 'c'), 'wave-01': ('a',)}
    """
    names = sorted(set(nodes))
    limit = pace.limit(len(names))
    canaries = min(pace.canary, limit)
    first = {*sorted(names, key=lambda name: _digest(f"{CANARY} {name}"))[:canaries]} if canaries else set()
    rest = [(_digest(name), name) for name in names if name not in first]
    found = {CANARY: tuple(sorted(first))} if first else {}
    return found | {f"wave-{path}": tuple(members) for path, members in _leaves("0", rest, limit)}


def held_back(members: Mapping[str, tuple[str, ...]], verified: Collection[str], most: int | None) -> list[str]:
    """The waves that wait for a later update: all unfinished ones but the first ``most``; none without a limit.

    ``verified`` are the nodes that already have the layout and were verified with it.
    """
    if most is None:
        return []
    unfinished = [wave for wave, nodes in members.items() if not set(nodes) <= set(verified)]
    return unfinished[most:]


def _leaves(path: str, nodes: list[tuple[str, str]], limit: int) -> list[tuple[str, list[str]]]:
    """Each node is its hash and its name. Hashes of different names differ within 256 bits, so the splitting ends."""
    if not nodes:
        return []
    if len(nodes) <= limit:
        return [(path, [name for _, name in nodes])]
    halves: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
    for digest, name in nodes:
        halves[digest[len(path) - 1] == "1"].append((digest, name))
    return [*_leaves(path + "0", halves[0], limit), *_leaves(path + "1", halves[1], limit)]


def _digest(text: str) -> str:
    return f"{int.from_bytes(sha256(text.encode()).digest()):0256b}"

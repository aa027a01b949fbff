"""What a planned change will do, before it is done: for the reviewer of a preview. Pure, sorted and without clocks."""

from collections import Counter
from collections.abc import Iterable

from mig_fleet.model import gpus, labels
from mig_fleet.model.wording import cuts_in_words, indices_text
from mig_fleet.observed.differences import Expected
from mig_fleet.observed.gpu_pods import Holder
from mig_fleet.observed.snapshot import Look, Node

MOST_LINES = 20
"""A preview is read by people; what is more is counted."""


def foreseen(
    seen: Look, held: Iterable[Holder], nodes: Iterable[str], expected: Expected, staying: Iterable[str] = ()
) -> dict[str, list[str]]:
    """By kind of news, what a reviewer should know about the nodes that are to be cut anew; empty kinds left out.

    ``staying`` are the pool's nodes that keep what they offer, because their waves wait for a later update.

    ``changes``: nodes, old → new layout · ``disrupts``: pods that lose their slices, and their owners · ``strands``:
    pods that ask for a resource that nothing in the pool will offer any more · ``needs``: resets of GPUs ·
    ``capacity``: slices of the wave before → after.
    """
    present = [seen.nodes[name] for name in sorted(nodes) if name in seen.nodes]
    affected = [node for node in present if node.config != expected["config"]]
    held = list(held)
    news = {
        "changes": _changes(affected, expected),
        "disrupts": _disrupts(affected, held),
        "strands": _strands(affected, held, expected, [seen.nodes[name] for name in staying if name in seen.nodes]),
        "needs": _needs(affected, expected),
        "capacity": _capacity(affected, expected),
    }
    return {kind: _few(lines) for kind, lines in news.items() if lines}


def _changes(affected: Iterable[Node], expected: Expected) -> list[str]:
    """One line for all nodes that change in the same way."""
    wanted = [None if g is None else {k: int(n) for k, n in g.items()} for g in expected["gpus"]]
    new = cuts_in_words(dict(enumerate(wanted)))
    alike: dict[str, list[str]] = {}
    for node in affected:
        known = node.report is not None and not node.report.errors
        old = cuts_in_words(node.report.cuts()) if known and node.report else f"config {node.config or 'none'!r}"
        alike.setdefault(f"{old} → {new}", []).append(node.name)
    return sorted(f"{', '.join(names)}: {change}" for change, names in alike.items())


def _disrupts(affected: Iterable[Node], held: Iterable[Holder]) -> list[str]:
    names = {node.name for node in affected}
    return [f"{holder.node}: {holder}" for holder in held if holder.node in names]


def _strands(
    affected: Iterable[Node], held: Iterable[Holder], expected: Expected, staying: Iterable[Node]
) -> list[str]:
    """Pods on the nodes, and pods that wait for a node, whose resource is offered now and will not be afterwards.

    All waves of a pool go to one layout, so that what is left of the old one is what the waiting waves offer.
    """
    names = {node.name for node in affected}
    gone = _offered(affected) - {name for name, n in expected["allocatable"].items() if n} - _offered(staying)
    found = []
    for holder in held:
        lost = sorted(gone & holder.resources.keys())
        if lost and (holder.node in names or not holder.node):
            asks = ", ".join(name.removeprefix("nvidia.com/") for name in lost)
            state = f"runs on {holder.node}" if holder.node else "waits for a node"
            found.append(f"{holder.namespace}/{holder.name} ({holder.owner or 'no owner'}) {state} and asks for {asks}")
    return found


def _offered(nodes: Iterable[Node]) -> set[str]:
    return {name for node in nodes for name, n in node.allocatable.items() if n}


def _needs(affected: Iterable[Node], expected: Expected) -> list[str]:
    """Ampere resets a GPU when its MIG mode changes; Hopper and newer do not (NVIDIA MIG User Guide, section on mode).

    Turning the mode on or off restarts nothing else, but on both every client must leave the GPU first.
    """
    ampere = gpus.find(expected["gpu"]).architecture.startswith("Ampere") if expected["gpu"] else False
    found = []
    for node in affected:
        if node.report is None or node.report.errors:
            continue
        pairs = zip(node.report.gpus, expected["gpus"], strict=False)
        turned = [gpu.index for gpu, wanted in pairs if bool(gpu.mig_mode_current) != (wanted is not None)]
        if turned:
            reset = "a reset of each GPU, or a reboot where the platform forbids it" if ampere else "no GPU reset"
            found.append(f"{node.name}: a change of the MIG mode of GPU {indices_text(turned)}: {reset}")
    return found


def _capacity(affected: Iterable[Node], expected: Expected) -> list[str]:
    affected = list(affected)
    before: Counter[str] = Counter()
    for node in affected:
        before.update({k: n for k, n in node.allocatable.items() if k == labels.GPU_RESOURCE or "/mig-" in k})
    after = {name: int(n) * len(affected) for name, n in expected["allocatable"].items()}
    names = sorted(name for name in before.keys() | after.keys() if before[name] != after.get(name, 0))
    return [f"{name}: {before[name]} → {after.get(name, 0)}" for name in names]


def _few(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_LINES
    return lines if more <= 0 else [*lines[:MOST_LINES], f"and {more} more"]

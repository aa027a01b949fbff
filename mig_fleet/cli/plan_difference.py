"""What differs between two stack files, as text and as JSON."""

from collections.abc import Iterator, Mapping

import msgspec

from mig_fleet.cli.outputs.plan import Changes, PlanAgainst
from mig_fleet.model.formatting import format_profiles, format_ranges, parse_per_gpu
from mig_fleet.stack_file.comparison import Change, Comparison, DeclaredNode, NodesChange


def to_json(found: Comparison, against: str) -> PlanAgainst:
    changes = msgspec.convert(found, Changes, from_attributes=True)
    return PlanAgainst(against=against, different=bool(found), changes=changes)


def lines(found: Comparison, path: str, against: str) -> Iterator[str]:
    """A section for each part with differences."""
    if not found:
        yield f"Nothing differs between {against} and {path}."
        return
    yield f"What changes from {against} to {path}:"
    for title, section in (
        ("Layouts", _layouts(found.layouts)),
        ("Nodes", map(_format_nodes, found.nodes)),
        ("Capacity", _capacity(found)),
        ("Cost", _cost(found)),
        ("Other settings", iter(found.other_settings)),
    ):
        if rows := list(section):
            yield from ("", f"{title}:", *(f"  {row}" for row in rows))


def _layouts(changes: Mapping[str, Change[str]]) -> Iterator[str]:
    for name, change in changes.items():
        yield f"{name}{_change(change.before, change.after)}"


def _format_nodes(change: NodesChange) -> str:
    old, new, names = change.before, change.after, ", ".join(change.nodes)
    if old is None or new is None:
        return f"{names}{_change(_format_node(old), _format_node(new))}"
    parts = [
        f"pool {_from_to(old.pool, new.pool)}",
        *([_from_to(old.gpu, new.gpu)] if old.gpu != new.gpu else []),
        *([f"config {_from_to(old.config, new.config)}"] if old.config != new.config and old.gpus == new.gpus else []),
        _format_gpus(old.gpus, new.gpus),
    ]
    return f"{names}: {', '.join(parts)}"


def _format_node(node: DeclaredNode | None) -> str | None:
    return f"pool {node.pool}, {node.gpu}, {node.gpus}" if node else None


def _format_gpus(old: str, new: str) -> str:
    """``GPU 0-3: 7x 1g.10gb → 3g.40gb``; the GPUs that stay as they are, are left out."""
    before, after = parse_per_gpu(old), parse_per_gpu(new)
    if old == new:
        return "same slices"
    if len(before) != len(after):
        return _from_to(old, new)
    alike: dict[str, list[int]] = {}
    for index, pair in enumerate(zip(before, after, strict=True)):
        if pair[0] != pair[1]:
            alike.setdefault(_from_to(*map(format_profiles, pair)), []).append(index)
    return "; ".join(f"GPU {format_ranges(indices)}: {text}" for text, indices in alike.items())


def _capacity(found: Comparison) -> Iterator[str]:
    for resource, change in found.capacity.items():
        yield f"{resource}: {change.before or 0} → {change.after or 0} ({(change.after or 0) - (change.before or 0):+})"
    for pool, changes in found.capacity_per_node.items():
        for resource, change in changes.items():
            yield f"{resource} of each node of pool {pool}: {change.before or 0} → {change.after or 0}"


def _cost(found: Comparison) -> Iterator[str]:
    if found.cost is not None:
        yield f"{_format_price(found.cost)} per hour"
    for pool, change in found.cost_per_node.items():
        yield f"{_format_price(change)} per hour for each node of pool {pool}"


def _format_price(change: Change[float]) -> str:
    return " → ".join("no price" if usd is None else f"${usd:.2f}" for usd in (change.before, change.after))


def _change(before: str | None, after: str | None) -> str:
    if before is None or after is None:
        return f" (new): {after}" if before is None else f" (removed): {before}"
    return f": {_from_to(before, after)}"


def _from_to(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"

"""The waves of a pool in a comment: nodes that change alike share one picture."""

from mig_fleet.review.markdown_text import block, code, folded, sentence
from mig_fleet.review.pictures import layout_lines
from mig_fleet.review.review import NodeChange, Review, Wave

SHOWN_NODES = 12
"""Names of nodes in one line; the others are counted, and folded below."""
MAX_PICTURES = 6
"""Pictures that are shown unfolded."""


def pool_parts(review: Review, folds: bool) -> list[str]:
    """One part per pool that changes. ``folds``: shorter, with counts instead of the names of all nodes."""
    pools = dict.fromkeys(wave.pool for wave in review.waves)
    return [text for pool in pools if (text := _pool([w for w in review.waves if w.pool == pool], folds))]


def _pool(waves: list[Wave], folds: bool) -> str:
    groups: dict[tuple[str, ...], list[tuple[Wave, NodeChange]]] = {}
    for wave in waves:
        for change in wave.changes:
            alike = (wave.gpu, str(change.gpus or change.text), change.whole_node)
            groups.setdefault(alike, []).append((wave, change))
    shown = [_group(group, folds) for group in groups.values()]
    removed = [
        f"{code(wave.name)} leaves the stack (`onDelete: {wave.on_delete}`): {_names(list(wave.nodes), folds)}"
        for wave in waves
        if wave.is_removed
    ]
    lines = [sentence(line) for wave in waves for line in wave.resets]
    missing = [f"{code(name)} is not in the cluster" for wave in waves for name in wave.missing]
    resets = (
        [folded(f"MIG modes that change: {len(lines)} nodes", _listed(lines))] if len(lines) > 3 or folds else lines
    )
    more = [f"Also changed: {_names(list(wave.more_touched), folds)}" for wave in waves if wave.more_touched]
    body = [*shown, *more, *removed, *missing, *(resets if lines else [])]
    if not body:
        return ""
    gpu = f", {code(waves[0].gpu)}" if waves[0].gpu else ""
    text = "\n\n".join(body)
    if folds or len(shown) > MAX_PICTURES:
        nodes = len({name for wave in waves for name in wave.touched_nodes})
        text = folded(f"{len(waves)} waves, {nodes} nodes whose GPUs change", text)
    return f"### Pool {code(waves[0].pool)}{gpu}\n\n{text}"


def _group(group: list[tuple[Wave, NodeChange]], folds: bool) -> str:
    """Nodes that change alike: their waves, the picture, and all names if they are many."""
    change, gpu = group[0][1], group[0][0].gpu
    waves = [f"{code(wave.name)}: {_names(list(each.nodes), folds)}" for wave, each in group]
    head = "\n".join(f"- {line}" for line in waves) if len(waves) > 1 else waves[0]
    lines = layout_lines(change, gpu)
    whole = [f"The whole node counts: {sentence(change.whole_node)}."] if change.whole_node else []
    picture = block(lines) if lines else sentence(change.text)
    many = [(wave, each) for wave, each in group if len(each.nodes) > SHOWN_NODES]
    everything = [f"{code(wave.name)}: {' '.join(map(code, each.nodes))}" for wave, each in many]
    names = [folded("All nodes", "\n\n".join(everything))] if everything and not folds else []
    return "\n\n".join([head, picture, *whole, *names])


def _names(names: list[str], folds: bool) -> str:
    """The nodes, or their number and the first of them."""
    limit = 3 if folds else SHOWN_NODES
    if len(names) <= limit:
        return ", ".join(map(code, names))
    return f"{len(names)} nodes, {', '.join(map(code, names[:3]))} …"


def _listed(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)

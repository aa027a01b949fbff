"""The changed nodes of a pool: one picture for all nodes whose GPUs change alike, then what each wave adds."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from xml.etree.ElementTree import Element

from mig_fleet.review.html.elements import each, element
from mig_fleet.review.html.picture import picture
from mig_fleet.review.html.tables import scrolling
from mig_fleet.review.review import UNKNOWN, GpuChange, NodeChange, Wave

FEW = 8
"""Names of nodes that are shown without a click."""


def pool(name: str, waves: Sequence[Wave]) -> Iterator[Element]:
    """The part of the page about a pool; ``waves`` are its waves that change, in order."""
    is_new = all(wave.is_new for wave in waves)
    words = [*dict.fromkeys(wave.gpu for wave in waves if wave.gpu), *(["new"] if is_new else [])]
    yield element("h4", " · ".join([f"Pool {name}", *words]))
    for model, change in alike(waves):
        yield _figure(model, change)
    for wave in waves:
        yield from _wave(wave, is_new)


def alike(waves: Sequence[Wave]) -> list[tuple[str, NodeChange]]:
    """The GPU model and one change for all nodes that change alike. A new wave without a planned change is shown as
    declared.
    """
    found: dict[str, tuple[str, NodeChange]] = {}
    for wave in waves:
        for change in wave.changes or ([_declared(wave)] if wave.is_new and wave.slices else []):
            key = repr((wave.gpu, change.text, change.gpus))
            _, before = found.get(key, (wave.gpu, replace(change, nodes=())))
            found[key] = wave.gpu, replace(before, nodes=(*before.nodes, *change.nodes))
    return list(found.values())


def _declared(wave: Wave) -> NodeChange:
    indexes: dict[str, list[int]] = {}
    for index, slices in enumerate(wave.slices):
        indexes.setdefault(str(slices), []).append(index)
    gpus = [GpuChange(tuple(alike), UNKNOWN, wave.slices[alike[0]], True) for alike in indexes.values()]
    return NodeChange(wave.nodes, "as the stack declares it; what is on the nodes is not known", tuple(gpus))


def _figure(model: str, change: NodeChange) -> Element:
    count = f"{len(change.nodes)} nodes" if len(change.nodes) != 1 else "1 node"
    text = element("p", f"{count}: {change.text}", _because(change))
    if not change.gpus:
        return element("div", text, _names(change.nodes))
    title = f"{model or 'GPUs'} of {count} before and after"
    drawn = scrolling(picture(model, change.gpus, title), f"Picture: {title}")
    return element("figure", element("figcaption", text, _names(change.nodes)), drawn)


def _because(change: NodeChange) -> str:
    return f"; the whole node counts: {change.whole_node}" if change.whole_node else ""


def _names(nodes: Sequence[str]) -> Element:
    names = element("p", *_joined(nodes))
    if len(nodes) <= FEW:
        return names
    return element("details", element("summary", f"The names of all {len(nodes)} nodes"), names)


def _joined(names: Sequence[str]) -> Iterator[Element | str]:
    for number, name in enumerate(names):
        yield ", " if number else ""
        yield element("code", name)


def _wave(wave: Wave, is_new: bool) -> Iterator[Element]:
    """What else happens in the wave of a pool that is new or not; nothing if nothing does."""
    lines = [*_state(wave, is_new), *wave.notes, *wave.resets, *wave.unfinished, *wave.drift]
    name = f"Wave {wave.name} (nodes: {len(wave.nodes)})"
    if len(lines) == 1:
        yield element("p", f"{name}: {lines[0]}")
    elif lines:
        yield element("details", element("summary", name), element("ul", *each("li", lines)), open="open")


def _state(wave: Wave, is_new: bool) -> Iterator[str]:
    if wave.missing:
        yield f"not in the cluster, so the update is refused: {', '.join(wave.missing)}"
    if wave.is_unknown:
        yield "what happens to its nodes is not known: the cluster was not read"
    if wave.more_touched:
        yield f"slices change on these nodes, too, and the preview does not list how: {', '.join(wave.more_touched)}"
    if wave.is_new and not is_new:
        yield "is new"
    if wave.is_removed:
        yield f"leaves the stack; onDelete is {wave.on_delete} for {', '.join(wave.nodes)}"
    if wave.is_held:
        yield "waits for a later update; nothing happens to its GPUs in this one"

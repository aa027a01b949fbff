"""Writes layouts and pools as a stack file."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mig_fleet.model.gpus import find
from mig_fleet.model.imports.notes import Note, Outcome
from mig_fleet.model.imports.pools import ImportedPool
from mig_fleet.model.layouts import GpuGroup, Layout
from mig_fleet.model.strategy import DEFAULT, Strategy


@dataclass(frozen=True, slots=True)
class ImportedCluster:
    """The cluster that was read, for the sections ``cluster`` and ``operator``.

    ``kubeconfig`` is only a path that was given explicitly. ``operator`` is the namespace of the operator that another
    owner installed; None if there is none. ``notes`` are comments above that section.
    """

    context: str | None = None
    kubeconfig: str | None = None
    operator: str | None = None
    notes: tuple[str, ...] = ()


def stack_file(
    layouts: Iterable[Layout],
    pools: Iterable[ImportedPool] = (),
    notes: Iterable[Note] = (),
    cluster: ImportedCluster | None = None,
    strategy: Strategy = DEFAULT,
) -> str:
    """The layouts are sorted by name. The notes are comments at the top, by what became of their subject."""
    listed = list(notes)
    head: list[str] = []
    for outcome in Outcome:
        if found := [f"#   {_comment(str(note))}" for note in listed if note.outcome is outcome]:
            head += [f"# {outcome.capitalize()}:", *found]
    body = ["config:", *_cluster(cluster or ImportedCluster(), strategy), "  mig-fleet:layouts:"]
    body += [
        f"    {_text(layout.name)}: {_layout(layout)}" for layout in sorted(layouts, key=lambda layout: layout.name)
    ]
    pools = list(pools)
    if pools:
        body.append("  mig-fleet:pools:")
    for pool in pools:
        body += [
            f"    {_text(pool.name)}:",
            f"      gpu: {find(pool.gpu).short}",
            f"      gpusPerNode: {pool.gpus_per_node}",
            f"      nodes: [{', '.join(_text(node) for node in pool.nodes)}]",
            f"      layout: {_text(pool.layout)}",
            *(["      configName: keep"] if pool.keep else []),
        ]
    return "\n".join([*head, *body, ""])


def _cluster(cluster: ImportedCluster, strategy: Strategy) -> list[str]:
    given = {"kubeconfig": cluster.kubeconfig, "context": cluster.context}
    settings = ", ".join(f"{key}: {_text(value)}" for key, value in given.items() if value is not None)
    operator = {"managed": "false", "namespace": _text(cluster.operator)} if cluster.operator is not None else {}
    operator |= {} if strategy is DEFAULT else {"strategy": str(strategy)}
    written = ", ".join(f"{key}: {value}" for key, value in operator.items())
    return [
        *([f"  mig-fleet:cluster: {{{settings}}}"] if settings else []),
        *(f"  # {_comment(note)}" for note in cluster.notes),
        *([f"  mig-fleet:operator: {{{written}}}"] if operator else []),
    ]


def _layout(layout: Layout) -> str:
    if layout.is_disabled:
        return f"{{gpu: {layout.model.short}, disabled: true}}"
    first = layout.groups[0]
    if first.devices is None:
        return f"{{gpu: {layout.model.short}, all: {_profiles(first.profiles or {})}{_confirmed(layout)}}}"
    return f"{{gpu: {layout.model.short}, gpus: [{', '.join(map(_group, layout.groups))}]{_confirmed(layout)}}}"


def _confirmed(layout: Layout) -> str:
    found = ", ".join(f"{key}: {_text(text)}" for key, text in layout.confirmed.to_data().items())
    return f", confirmed: {{{found}}}" if found else ""


def _group(group: GpuGroup) -> str:
    devices = f"devices: [{', '.join(map(str, group.devices or ()))}]"
    return f"{{{devices}, {'disabled: true' if group.profiles is None else f'profiles: {_profiles(group.profiles)}'}}}"


def _profiles(profiles: Mapping[str, int]) -> str:
    return "{" + ", ".join(f"{name}: {count}" for name, count in sorted(profiles.items())) + "}"


def _text(word: str) -> str:
    """A name as YAML: plain if that is safe, otherwise quoted with YAML's escapes."""
    if _PLAIN.fullmatch(word) and word.lower() not in _WORDS:
        return word
    return '"' + "".join(c if " " <= c <= "~" and c not in '"\\' else f"\\U{ord(c):08x}" for c in word) + '"'


def _comment(note: str) -> str:
    """A note on one line. YAML does not allow control characters in comments."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(note.split()))


_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9.-]*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}

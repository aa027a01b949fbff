"""The stack that owns a cluster, as the layout file and the nodes record it. Pure.

Two stacks that write to one cluster undo each other's work, so each preview and each update compares the recorded owner
with its own. The id decides: another backend may have a stack of the same name, and a stack may be renamed.
"""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mig_fleet.foreign_text import printable
from mig_fleet.model import labels
from mig_fleet.model.report_grammar import LONGEST_TEXT
from mig_fleet.model.short_repr import format_value
from mig_fleet.observed.snapshot import Node

NAMED_NODES = 3
"""Nodes that a message names; further ones are only counted."""


@dataclass(frozen=True, order=True)
class Owner:
    """A stack as it is recorded: ``<id> <organization>/<project>/<stack>``."""

    id: str
    stack: str

    @classmethod
    def parse(cls, text: str) -> "Owner | None":
        """``None`` for an empty text. Control characters, which a terminal would obey, become escapes."""
        found, _, stack = printable(text.strip(), LONGEST_TEXT).partition(" ")
        return cls(found, stack) if found else None

    def __str__(self) -> str:
        return f"{self.id} {self.stack}".rstrip()

    def is_named_by(self, take_over: str) -> bool:
        """Whether ``cluster.takeOver`` names this owner: by its id, which a stack has only until another one takes the
        cluster over.
        """
        named = Owner.parse(take_over)
        return named is not None and named.id == self.id


def file_owner(config_map: Mapping[str, Any] | None) -> Owner | None:
    """The owner that the layout file's ConfigMap records; ``None`` if there is none."""
    metadata = (config_map or {}).get("metadata") or {}
    return Owner.parse((metadata.get("annotations") or {}).get(labels.OWNER, ""))


def node_owner(node: Node) -> Owner | None:
    """The owner that a node records; ``None`` if there is none."""
    return Owner.parse(node.annotations.get(labels.OWNER, ""))


def other_owners(
    ours: Owner,
    config_map: Mapping[str, Any] | None,
    nodes: Iterable[Node],
    elsewhere: Mapping[str, Owner] = MappingProxyType({}),
) -> dict[Owner, str]:
    """Other stacks that own the cluster → where that is recorded.

    The layout file decides: it is the first object that a stack writes. Nodes with another owner are then left from a
    take-over. ``elsewhere`` maps other namespaces to the owners that layout files there record, which decide if the
    file of the stack's own namespace has no record. Without any record in a file the nodes decide.
    """
    file = f"ConfigMap {labels.LAYOUTS_CONFIG_MAP}"
    of_file = file_owner(config_map)
    if of_file is None and elsewhere:
        # A stack that moves to another namespace has its record in the old one.
        where, of_file = next((it for it in elsewhere.items() if it[1].id == ours.id), min(elsewhere.items()))
        file += f" in namespace {where}"
    by_owner: dict[Owner, list[str]] = {}
    for node in sorted(nodes, key=lambda node: node.name):
        if (found := node_owner(node)) is not None and found.id != ours.id:
            by_owner.setdefault(found, []).append(node.name)
    if of_file is None:
        return {owner: _format_nodes(names) for owner, names in sorted(by_owner.items())}
    if of_file.id == ours.id:
        return {}
    names = [name for owner, found in by_owner.items() if owner.id == of_file.id for name in found]
    return {of_file: f"{file} and {_format_nodes(names)}" if names else file}


def owner_conflicts(ours: Owner, take_over: str, owners: Mapping[Owner, str], was_owner: bool = False) -> list[str]:
    """One text for each other owner (:func:`other_owners`); empty if there is none, or if ``take_over`` names one.

    ``was_owner``: this stack has deployed to the cluster before.
    """
    if any(owner.is_named_by(take_over) for owner in owners):
        return []
    return [_conflict(ours, take_over, owner, where, was_owner) for owner, where in owners.items()]


def not_ours(ours: str, config_map: Mapping[str, Any] | None, take_over: str = "") -> str:
    """Why a stack must change and remove nothing in the cluster; empty if no other stack owns the layout file, or if
    the stack takes it over.

    ``ours`` is the text of the stack's own record; empty in a program without an owner.
    """
    found, own = file_owner(config_map), Owner.parse(ours)
    if found is None or found.is_named_by(take_over) or (own is not None and found.id == own.id):
        return ""
    forget = f". `{forget_command(own.stack)}` forgets {own.stack} without changing the cluster" if own else ""
    return (
        f"the cluster is owned by stack {found.stack} ({found.id}), as ConfigMap {labels.LAYOUTS_CONFIG_MAP} records; "
        f"nothing was changed{forget}"
    )


def forget_command(stack: str) -> str:
    """Removes a stack's state and leaves what it deployed (pulumi v3.259.0, ``pulumi stack rm --help``)."""
    return f"pulumi stack rm --force --preserve-config {shlex.quote(stack)}"


def _conflict(ours: Owner, take_over: str, owner: Owner, where: str, was_owner: bool) -> str:
    lines = [f"the cluster is owned by stack {owner.stack} ({owner.id}), as recorded on {where}; nothing was changed."]
    if was_owner and owner.stack != ours.stack:
        lines.append(
            f"It was taken over from this stack. `{forget_command(ours.stack)}` forgets this stack without changing "
            "the cluster."
        )
    if take_over:
        lines.append(f"cluster.takeOver is {format_value(take_over)}, which is not the id of this owner.")
    if owner.stack == ours.stack:
        lines.append(
            "That is the name of this stack, with another id: the state of this stack was lost, or another backend has "
            "a stack of this name."
        )
    lines += [
        "To take the cluster over on purpose: "
        f"`pulumi config set --path mig-fleet:cluster.takeOver {shlex.quote(str(owner))}`; "
        "in a program with arguments, the same as `takeOver` of its cluster.",
        f"Previews, updates and destroys of {owner.stack} ({owner.id}) are refused from then on; there "
        f"`{forget_command(owner.stack)}` forgets it without changing the cluster.",
    ]
    return "\n".join(lines)


def _format_nodes(names: list[str]) -> str:
    more = len(names) - NAMED_NODES
    text = ", ".join(names[:NAMED_NODES]) + (f" and {more} more" if more > 0 else "")
    return f"node {text}" if len(names) == 1 else f"nodes {text}"

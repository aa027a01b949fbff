"""The nodes of a fleet's pools: known from the start, or read from a cluster that the same program creates."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pulumi

from mig_fleet.components.cluster_input import is_known
from mig_fleet.components.refused import FleetRefused
from mig_fleet.stack_file.fleet import Fleet
from mig_fleet.stack_file.membership import needs_cluster, resolve_nodes
from mig_fleet.stack_file.problems import InvalidSettings

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Members:
    """A fleet, and the same one with the nodes of every selector and the progress of every bounded rollout."""

    declared: Fleet
    known: Fleet | pulumi.Output[Fleet]

    def then(self, act: Callable[[Fleet], T]) -> Any:
        """What ``act`` returns for the fleet with its nodes: at once, or as an output. While the cluster is unknown,
        ``act`` is not called.
        """
        return then(self.known, act)

    def register(self, act: Callable[[Fleet], T]) -> Any:
        """As :meth:`then`, for what registers resources: while the cluster is unknown, it gets the pools whose nodes
        have names. A resource that a preview leaves out would be shown as deleted, if it exists.
        """
        if not isinstance(self.known, pulumi.Output):
            return act(self.known)
        named = tuple(pool for pool in self.declared.pools if pool.settings.selector is None)
        known = self.known.apply(
            lambda found: found if isinstance(found, Fleet) else replace(self.declared, pools=named),
            run_with_unknowns=True,
        )
        return known.apply(act)


def then(value: "U | pulumi.Output[U]", act: Callable[[U], T]) -> Any:
    """``act(value)``, or an output of it."""
    return value.apply(act) if isinstance(value, pulumi.Output) else act(value)


def read_members(declared: Fleet, cluster: Mapping[str, Any], source: str) -> Members:
    """Read the cluster, if the fleet has a selector or a bounded rollout. Raises
    :class:`~mig_fleet.components.refused.FleetRefused`.

    The waves of a pool follow from its nodes. So a pool with a selector is registered when the cluster is known: a
    preview that does not know it has none of its waves, and a line says so.
    """
    if not needs_cluster(declared):
        return Members(declared, declared)
    if is_known(cluster):
        return Members(declared, _resolved(declared, cluster, source))

    given = pulumi.Output.from_input(dict(cluster))
    given.apply(lambda known: _warn_if_unknown(known, declared, source), run_with_unknowns=True)

    async def resolve(known: dict[str, Any]) -> Fleet:
        return await asyncio.to_thread(_resolved, declared, known, source)

    # The result has names of nodes, and nothing of the credentials by which they were read.
    return Members(declared, pulumi.Output.unsecret(given.apply(resolve)))


def _warn_if_unknown(cluster: object, declared: Fleet, source: str) -> None:
    if pulumi.runtime.rpc.contains_unknowns(cluster):
        pulumi.log.warn(f"{source}: {_not_planned(declared)}")


def _resolved(declared: Fleet, cluster: Mapping[str, Any], source: str) -> Fleet:
    try:
        return resolve_nodes(declared, source, cluster)
    except InvalidSettings as exc:
        raise FleetRefused(exc.source, exc.problems) from None


def _not_planned(fleet: Fleet) -> str:
    """What a preview lacks while the nodes cannot be read."""
    selected = ", ".join(pool.name for pool in fleet.pools if pool.settings.selector)
    bounded = ", ".join(pool.name for pool in fleet.pools if pool.settings.rollout.max_waves_per_update)
    text = "the cluster is not known yet"
    if selected:
        text += (
            f"; its nodes decide about the pools with a selector, so nothing is planned for them ({selected}): what "
            "exists of them is shown as deleted, and the update does not delete it"
        )
    if bounded:
        text += f"; no wave counts as verified in the pools with maxWavesPerUpdate ({bounded})"
    return text

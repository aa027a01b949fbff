"""Reads a whole program, as the engine passes it to a stack policy."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from pulumi_policy import PolicyResource
from pulumi_policy.proxy import UnknownValueError

from mig_fleet.model.resource_types import ASSIGNMENTS, VERIFICATIONS, WAVES
from mig_fleet.policies.pool_facts import PoolFacts
from mig_fleet.policies.program_facts import ProgramFacts
from mig_fleet.policies.wave_facts import WaveFacts
from mig_fleet.policy import objects
from mig_fleet.policy.known import UNKNOWN, get
from mig_fleet.policy.waves import read_pool, read_wave

STACK_REFERENCE = "pulumi:pulumi:StackReference"


class Registered(Protocol):
    """What both kinds of policies get of a resource."""

    resource_type: str
    urn: str
    name: str
    props: Any


def waves(resource: Registered) -> Iterator[WaveFacts]:
    """The wave that an assignment changes; nothing if it is not known yet, or not ours, or for any other resource."""
    if resource.resource_type in ASSIGNMENTS:
        try:
            yield read_wave(resource.urn, resource.props)
        except (UnknownValueError, KeyError):
            return


def pools(resource: Registered) -> Iterator[PoolFacts]:
    """The layout of a wave, by either of its resources."""
    if resource.resource_type in WAVES:
        try:
            yield read_pool(resource.props)
        except (UnknownValueError, KeyError):
            return


def program(resources: Iterable[PolicyResource]) -> ProgramFacts:
    """The facts about all resources of a stack. An unknown value hides nothing but itself."""
    found = list(resources)
    assignments = [each for each in found if each.resource_type in ASSIGNMENTS]
    read = {each.urn: list(waves(each)) for each in assignments}
    references = [objects.offered_by_reference(each.props) for each in found if each.resource_type == STACK_REFERENCE]
    known = [offered for offered in references if offered is not None]
    return ProgramFacts(
        waves=tuple(wave for each in assignments for wave in read[each.urn]),
        unread=tuple(each.name for each in assignments if not read[each.urn]),
        unverified=tuple(_wave_of(each) or each.name for each in assignments if not _is_verified(each, found)),
        charts=tuple(
            chart for each in found for chart in objects.read_chart(each.resource_type, each.name, each.props)
        ),
        workloads=tuple(
            workload for each in found for workload in objects.read_workload(each.resource_type, each.name, each.props)
        ),
        dynamic_mig=tuple(
            label for each in found for label in objects.read_dynamic_mig(each.resource_type, each.name, each.props)
        ),
        is_monitored=any(objects.is_alert_rule(each.resource_type, each.props) for each in found),
        offered_elsewhere=frozenset().union(*known) if len(known) == len(references) else None,
    )


def _wave_of(resource: PolicyResource) -> str:
    """The name of the wave; empty if it is not known."""
    name = get(resource.props, "wave")
    return name if name is not UNKNOWN and isinstance(name, str) else ""


def _is_verified(assignment: PolicyResource, resources: Iterable[PolicyResource]) -> bool:
    """Whether a verification of the same wave depends on the assignment."""
    wave = _wave_of(assignment)
    return any(
        wave and _wave_of(each) == wave and any(before.urn == assignment.urn for before in _before(each))
        for each in resources
        if each.resource_type in VERIFICATIONS
    )


def _before(resource: PolicyResource) -> Iterator[PolicyResource]:
    yield from resource.dependencies
    for dependencies in resource.property_dependencies.values():
        yield from dependencies

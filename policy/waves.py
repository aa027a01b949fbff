"""Reads the waves that a program registers, as the engine passes them to a policy."""

from collections.abc import Mapping
from typing import Any

from pulumi_policy import ReportViolation, ResourceValidationArgs

from mig_fleet.model.errors import MigError
from mig_fleet.model.layouts import GpuGroup, Layout
from mig_fleet.observed.expected import Expected
from mig_fleet.policies.pool_facts import PoolFacts
from mig_fleet.policies.rules import PoolRule

VERIFICATION = "pulumi-python:dynamic/mig:Verification"
"""Type token of the resource with the desired state of a wave's nodes. All of it is known at preview."""


def report_conflicts(check: PoolRule, args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Reports one violation for each conflict with a rule. Ignores resources that are not waves."""
    if args.resource_type != VERIFICATION:
        return
    try:
        conflicts = check(read_wave(args.props))
    except MigError as exc:
        report(f"Wave '{args.name}' must use profiles that its GPU model has: {exc}.", args.urn)
        return
    for conflict in conflicts:
        report(f"{conflict.text[0].upper()}{conflict.text[1:]}.", args.urn)


def read_wave(props: Mapping[str, Any]) -> PoolFacts:
    """The facts of a wave, which has the name of the wave. Raises :class:`mig_fleet.model.errors.MigError`.

    Reads single keys, never the whole mapping: access to one unknown value would switch the policy off
    (pulumi-policy #258).
    """
    expected = Expected.from_properties(props["expected"])
    groups = tuple(GpuGroup((index,), profiles) for index, profiles in enumerate(expected.gpus))
    layout = Layout("declared", expected.gpu, groups)
    return PoolFacts(props["wave"], expected.gpu, len(groups), layout, expected.strategy)

"""What the rules look at: the waves a program registers, as the engine shows them to a policy."""

from collections.abc import Mapping
from typing import Any

from pulumi_policy import ReportViolation, ResourceValidationArgs

from mig_fleet.model.errors import MigError
from mig_fleet.model.layouts import Cut, Layout
from mig_fleet.model.strategy import Strategy
from mig_fleet.policies.rules import PoolFacts, Rule, conflicts

VERIFICATION = "pulumi-python:dynamic/mig:Verification"
"""Type token of the resource that holds what a wave's nodes shall look like; all of it is known at preview."""


def report_conflicts(rule: Rule, args: ResourceValidationArgs, report: ReportViolation) -> None:
    """One violation for each conflict of one rule; silent on resources that are no waves."""
    if args.resource_type != VERIFICATION:
        return
    try:
        pool, strategy = facts(args.props)
    except MigError as exc:
        report(f"Wave '{args.name}' must use profiles that its GPU model has: {exc}.", args.urn)
        return
    for conflict in conflicts([pool], strategy):
        if conflict.rule is rule:
            report(f"{conflict.text[0].upper()}{conflict.text[1:]}.", args.urn)


def facts(props: Mapping[str, Any]) -> tuple[PoolFacts, Strategy]:
    """The pool behind a wave.

    Single keys are read, never the whole mapping: touching one unknown value would switch the rule off
    (pulumi-policy #258). Raises :class:`mig_fleet.model.errors.MigError`.
    """
    expected = props["expected"]
    cuts = tuple(_cut(index, profiles) for index, profiles in enumerate(expected["gpus"]))
    layout = Layout("declared", expected["gpu"], cuts)
    return PoolFacts(props["wave"], expected["gpu"], len(cuts), layout), Strategy(expected["strategy"])


def _cut(index: int, profiles: Mapping[str, float] | None) -> Cut:
    """Numbers arrive as floats."""
    return Cut((index,), None if profiles is None else {name: int(n) for name, n in profiles.items()})

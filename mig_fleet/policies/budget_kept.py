"""mig-budget-kept: the GPUs of a stack do not cost more than its budget."""

from typing import Annotated

from pydantic import Field

from mig_fleet.model.finding import Finding, Level
from mig_fleet.policies.parameters import Parameters, Unset
from mig_fleet.policies.policy import Policy, Severity
from mig_fleet.policies.program_facts import ProgramFacts
from mig_fleet.policies.rule import Rule
from mig_fleet.policies.unread import unread_waves


class Budget(Parameters):
    per_hour_usd: Annotated[
        Annotated[float, Field(gt=0)] | Unset, Field(description="USD per hour for the GPUs of all pools")
    ] = None


def check(program: ProgramFacts, budget: Budget) -> list[Finding]:
    found = unread_waves(program, Rule.BUDGET)
    for gpu in sorted({wave.gpu for wave in program.waves if wave.cost_per_hour is None}):
        text = f"{gpu} must have a price, because the budget counts it; set `prices.{gpu}` in USD per GPU-hour"
        found.append(Finding("", text, Rule.BUDGET, Level.UNPROVEN))
    cost = sum(wave.cost_per_hour or 0 for wave in program.waves)
    if budget.per_hour_usd is not None and cost > budget.per_hour_usd:
        text = f"the stack must cost at most ${budget.per_hour_usd:.2f} per hour; its GPUs cost ${cost:.2f}"
        found.append(Finding("", text, Rule.BUDGET))
    return found


POLICY = Policy(
    name=Rule.BUDGET,
    title="Budget kept",
    sentence="The GPUs of all pools must not cost more than the budget.",
    facts=ProgramFacts,
    check=check,
    remedy="Use fewer nodes or cheaper GPUs, or raise `perHourUsd`.",
    unknown="denied, because the sum is not known; also if a GPU model has no price",
    parameters=Budget,
    needs=("perHourUsd",),
    severity=Severity.MEDIUM,
    tags=("cost",),
    example={"perHourUsd": 120},
)

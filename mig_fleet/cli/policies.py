"""The work of `mig-fleet policies`: the policies, their parameters and their verdict on a stack file."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import click

from mig_fleet.cli import stack_files, tables
from mig_fleet.cli.exit_codes import ExitCode
from mig_fleet.cli.outputs.base import print_json
from mig_fleet.cli.outputs.policies import PolicyVerdict
from mig_fleet.documents import DocumentError, open_document
from mig_fleet.foreign_text import printable
from mig_fleet.policies.all_policies import POLICIES
from mig_fleet.policies.chart_facts import ChartFacts
from mig_fleet.policies.configuration import Configured, InvalidConfiguration, configured
from mig_fleet.policies.policy import Enforcement
from mig_fleet.policies.pool_facts import PoolFacts
from mig_fleet.policies.program_facts import ProgramFacts
from mig_fleet.policies.verdict import Decision, Verdict, decide
from mig_fleet.policies.wave_facts import WaveFacts
from mig_fleet.stack_file.fleet import Fleet
from mig_fleet.stack_file.policy_facts import pool_facts, program_facts

LONGEST = 2000
"""Characters of a sentence: a stack file may have long names."""


def run(path: Path, config: Path | None, as_json: bool) -> NoReturn:
    """Print every policy and exit."""
    configuration = _configuration(config)
    stack = path.name.removeprefix("Pulumi.").removesuffix(".yaml")
    verdicts = verdicts_on(stack_files.read(path), stack, configuration, datetime.now(UTC))
    if as_json:
        print_json([to_json(verdict) for verdict in verdicts])
    else:
        show(verdicts)
    mandatory = {it.decision for it in verdicts if it.configured.level is Enforcement.MANDATORY}
    unproven = Decision.UNPROVEN in mandatory
    sys.exit(ExitCode.FAILURE if Decision.BROKEN in mandatory else ExitCode.UNKNOWN if unproven else ExitCode.SUCCESS)


def verdicts_on(declared: Fleet, stack: str, configuration: Mapping[str, Configured], now: datetime) -> list[Verdict]:
    """The verdict of each policy on a stack file. What a stack file cannot have, such as workloads, is accepted."""
    program = program_facts(declared, stack, now)
    facts: dict[type, Sequence[Any]] = {
        PoolFacts: pool_facts(declared),
        WaveFacts: program.waves,
        ChartFacts: program.charts,
        ProgramFacts: [program],
    }
    return decide(POLICIES, configuration, facts)


def _configuration(path: Path | None) -> dict[str, Configured]:
    """Prints every mistake and exits if the configuration cannot be used."""
    try:
        return configured(POLICIES, open_document(path).data if path else {})
    except (InvalidConfiguration, DocumentError) as exc:
        click.echo(f"{path}: {exc}" if isinstance(exc, InvalidConfiguration) else str(exc), err=True)
        sys.exit(ExitCode.USAGE)


def show(verdicts: Sequence[Verdict]) -> None:
    """A row for each policy, and below the table the sentences of those that are not kept."""
    console = tables.plain_console()
    table = tables.ruled("policy", "level", "verdict", "parameters")
    for it in verdicts:
        table.add_row(it.policy.name, it.configured.level, it.decision, _parameters(it))
    tables.show(table, console)
    for line in _sentences(verdicts):
        console.print(printable(line, LONGEST), soft_wrap=True)


def _parameters(verdict: Verdict) -> str:
    given = ", ".join(f"{key}: {json.dumps(value)}" for key, value in verdict.configured.parameters.items())
    needs = verdict.policy.needs
    if verdict.decision is Decision.OFF and verdict.configured.level is not Enforcement.DISABLED:
        return f"needs {' or '.join(needs)}"
    return printable(given, LONGEST) if given else ""


def _sentences(verdicts: Sequence[Verdict]) -> Iterator[str]:
    for it in verdicts:
        for finding in it.findings:
            yield f"{it.policy.name}: {it.decision}: {finding.text}"


def to_json(verdict: Verdict) -> PolicyVerdict:
    policy = verdict.policy
    return PolicyVerdict(
        name=policy.name,
        title=policy.title,
        sentence=policy.sentence,
        level=verdict.configured.level,
        severity=policy.severity,
        tags=policy.tags,
        remedy=policy.remedy,
        url=policy.url,
        needs=policy.needs,
        parameters=dict(verdict.configured.parameters),
        schema=policy.parameters.properties(),
        decision=verdict.decision,
        findings=tuple(finding.text for finding in verdict.findings),
    )

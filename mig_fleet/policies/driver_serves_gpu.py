"""mig-driver-serves-gpu: the driver that the operator installs supports the GPUs, and their layouts."""

import re
from typing import Final

from mig_fleet.model.errors import MigError
from mig_fleet.model.finding import Finding, Level
from mig_fleet.model.gpus import find
from mig_fleet.policies.chart_facts import ChartFacts
from mig_fleet.policies.policy import Policy, without_parameters
from mig_fleet.policies.program_facts import ProgramFacts
from mig_fleet.policies.rule import Rule
from mig_fleet.policies.wave_facts import WaveFacts

MIXED_NODES_PENDING: Final = frozenset({"570.124.06", "570.133.20", "570.148.08", "570.158.01"})
"""With these drivers GPU pods stay Pending on a node that has both slices and whole GPUs (gpu-operator #1361; release
notes of 25.3.2, known issues)."""


def check(program: ProgramFacts) -> list[Finding]:
    """Nothing for a driver on the host, which the operator does not install."""
    found = []
    for chart in program.charts:
        if chart.driver_version is None and program.waves:
            text = f"{chart.label} must set a driver.version that is known in a preview; write it as text"
            found.append(Finding(chart.name, text, Rule.DRIVER, Level.UNPROVEN))
        elif chart.driver_version:
            reasons = {reason for wave in program.waves if (reason := _reason(chart.driver_version, wave))}
            found += [_finding(chart, reason) for reason in sorted(reasons)]
    return found


def _finding(chart: ChartFacts, reason: str) -> Finding:
    quoted = "" if chart.secret else f" {chart.driver_version}"
    return Finding(
        chart.name, f"{chart.label} must install a driver that serves all pools: driver{quoted} {reason}", Rule.DRIVER
    )


def _reason(driver: str, wave: WaveFacts) -> str:
    """Why the driver does not serve the wave; empty if it does, or if the sources do not establish it."""
    mixed = len({profiles is None for profiles in wave.gpus}) > 1
    if mixed and driver in MIXED_NODES_PENDING:
        why = f"leaves GPU pods of pool {wave.pool!r} Pending, because its nodes have slices and whole GPUs"
        return f"{why}; use 570.172.08 or newer"
    try:
        needed = find(wave.gpu).driver_min or ""
    except MigError:
        return ""
    minimum, has = _numbers(needed.partition("(")[2] or needed), _numbers(driver)
    # A branch alone, such as 525, may be new enough.
    if not has or has >= minimum[: len(has)]:
        return ""
    return f"does not support MIG on {wave.gpu} of pool {wave.pool!r}, which needs {needed}"


def _numbers(version: str) -> tuple[int, ...]:
    """``(525, 85, 12)`` of ``525.85.12-ubuntu22.04``; empty if it begins with no number."""
    found = re.match(r"R?(\d{1,5}(?:\.\d{1,5}){0,2})", version)
    return tuple(map(int, found[1].split("."))) if found else ()


POLICY = Policy(
    name=Rule.DRIVER,
    title="Driver serves the GPUs",
    sentence="The driver that the operator installs must support MIG on the GPU models of all pools.",
    facts=ProgramFacts,
    check=without_parameters(check),
    remedy="Set `operator.values.driver.version` to a newer driver, or remove it to use the chart's own.",
    unknown="denied if `driver.version` is not known; a driver on the host is not checked",
    tags=("operator", "hardware"),
)

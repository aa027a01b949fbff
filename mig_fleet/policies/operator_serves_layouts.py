"""mig-operator-serves-layouts: the chart has what mig-fleet sets, and a MIG Manager that knows the profiles."""

from collections.abc import Iterator

from mig_fleet.model.finding import Finding
from mig_fleet.model.manager_versions import LOWEST_CHART, SUFFIXES, is_older, needs_newer_manager
from mig_fleet.policies.chart_facts import ChartFacts
from mig_fleet.policies.policy import Policy, without_parameters
from mig_fleet.policies.program_facts import ProgramFacts
from mig_fleet.policies.rule import Rule
from mig_fleet.policies.wave_facts import WaveFacts


def check(program: ProgramFacts) -> list[Finding]:
    """Nothing for a version that is not known, and nothing for an operator that another program installs."""
    return [
        Finding(chart.name, f"{chart.label} must use {text}", Rule.OPERATOR)
        for chart in program.charts
        if program.waves
        for text in _reasons(chart, program.waves)
    ]


def _reasons(chart: ChartFacts, waves: tuple[WaveFacts, ...]) -> Iterator[str]:
    version = chart.bare_version if chart.is_from_repository else ""
    found = "" if chart.secret else f" (found {version})"
    if is_older(version, LOWEST_CHART):
        yield (
            f"chart v{LOWEST_CHART} or newer: the ClusterPolicy of an older one lacks fields that mig-fleet sets, and "
            f"the API server drops them{found}"
        )
        return
    manager = chart.manager_version
    if manager is None or not (is_older(manager, SUFFIXES.manager) if manager else is_older(version, SUFFIXES.chart)):
        return
    found = "" if chart.secret else f" (found {f'MIG Manager {manager}' if manager else version})"
    pools = {wave.pool: [name for name in wave.profiles if needs_newer_manager(name)] for wave in waves}
    for pool, profiles in sorted(pools.items()):
        if profiles:
            yield f"{SUFFIXES} or newer for pool {pool!r}: an older one does not know {', '.join(profiles)}{found}"


POLICY = Policy(
    name=Rule.OPERATOR,
    title="Operator serves the layouts",
    sentence="The operator's chart must have what mig-fleet sets, and a MIG Manager that knows the profiles of all "
    "layouts: one that does not know a profile destroys the slices and creates none.",
    facts=ProgramFacts,
    check=without_parameters(check),
    remedy="Set `operator.version` to the version that the message names, or newer; or use other profiles.",
    unknown="decided in the update; an operator that another program installs is not checked",
    tags=("operator", "layout"),
)

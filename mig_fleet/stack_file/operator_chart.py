"""The operator's chart as a stack file sets it: its facts for the policies, and whether it serves the pools."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mig_fleet.model.finding import Finding
from mig_fleet.model.short_repr import format_found
from mig_fleet.policies import driver_serves_gpu, operator_serves_layouts
from mig_fleet.policies.chart_facts import ChartFacts
from mig_fleet.policies.chart_values import PREFIX
from mig_fleet.policies.plugin_sharing import shared_by_values
from mig_fleet.policies.pool_facts import PoolFacts
from mig_fleet.policies.program_facts import ProgramFacts
from mig_fleet.policies.wave_facts import WaveFacts
from mig_fleet.stack_file.settings import Operator

OPERATOR_RELEASE = "gpu-operator"


def chart_facts(chart: Operator, *, secret: bool) -> tuple[ChartFacts, ...]:
    """The operator's release, if this stack installs it."""
    if not chart.managed:
        return ()
    driver, manager = (_section(chart, name) for name in ("driver", "migManager"))
    return (
        ChartFacts(
            kind="Release",
            name=OPERATOR_RELEASE,
            chart=chart.chart,
            version=chart.version or "",
            driver_version=_text(driver.get("version")) if driver.get("enabled") is not False else "",
            manager_version=_text(manager.get("version")),
            secret=secret,
        ),
    )


def chart_problems(chart: Operator, pools: Iterable[PoolFacts], *, secret: bool) -> list[Finding]:
    """Why the chart, or the driver that it installs, cannot serve these pools, whatever nodes they have."""
    waves = tuple(
        WaveFacts(pool.name, pool.name, pool.gpu, (), pool.layout.per_gpu(pool.gpus_per_node)) for pool in pools
    )
    program = ProgramFacts(waves=waves, charts=chart_facts(chart, secret=secret))
    return [
        *(replace(finding, path="operator.version") for finding in operator_serves_layouts.check(program)),
        *(replace(finding, path=f"{PREFIX}.driver.version") for finding in driver_serves_gpu.check(program)),
    ]


def sharing_problems(chart: Operator, pools: Sequence[PoolFacts], *, secret: bool) -> list[Finding]:
    """What the chart's values share that a pool offers; without their values if they are ``secret``."""
    offers = ((pool.name, pool.layout.allocatable(pool.gpus_per_node, pool.strategy)) for pool in reversed(pools))
    offered = {resource: name for name, found in offers for resource in found}
    return [
        Finding(f"{PREFIX}.{path}", text if secret else f"{text}{format_found(value)}")
        for path, value, text in shared_by_values(chart.values if chart.managed else {}, offered, chart.strategy)
    ]


def _section(chart: Operator, name: str) -> dict[str, object]:
    found = chart.values.get(name)
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

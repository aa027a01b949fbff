"""Facts that keep every rule; a test breaks one thing."""

from datetime import UTC, datetime
from typing import Any

from mig_fleet.policies.chart_facts import ChartFacts
from mig_fleet.policies.program_facts import ProgramFacts
from mig_fleet.policies.wave_facts import Impact, WaveFacts

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""A Wednesday."""


def a_wave(name: str = "chat-wave-0", **changes: Any) -> WaveFacts:
    """Two nodes with 2 H100-80GB in 7 slices each, as declared, without pods."""
    values: dict[str, Any] = {
        "name": name,
        "pool": name.partition("-")[0],
        "gpu": "H100-80GB",
        "nodes": (f"{name}-a", f"{name}-b"),
        "gpus": ({"1g.10gb": 7}, {"1g.10gb": 7}),
        "stack": "prod",
        "now": NOW,
        "on_user_pods": "refuse",
        "timeout_seconds": 600.0,
        "cost_per_hour": 10.0,
        "impact": Impact(),
    }
    return WaveFacts(**{**values, **changes})


def a_chart(**changes: Any) -> ChartFacts:
    values = {"kind": "Release", "name": "gpu-operator", "chart": "gpu-operator", "version": "v26.7.0"}
    return ChartFacts(**{**values, **changes})


def a_program(*waves: WaveFacts, **changes: Any) -> ProgramFacts:
    """A monitored program with these waves, or with one, and the operator's chart."""
    values: dict[str, Any] = {"waves": waves or (a_wave(),), "charts": (a_chart(),), "is_monitored": True}
    return ProgramFacts(**{**values, **changes})

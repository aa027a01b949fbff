"""The thresholds of the alerts, as the stack file and the pace of its rollouts determine them."""

from dataclasses import fields, replace

from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.model.finding import Finding
from mig_fleet.monitoring.alerts.mistakes import mistakes
from mig_fleet.monitoring.alerts.thresholds import MARGIN_S, Limits, Thresholds
from mig_fleet.stack_file.settings import Rollout, Settings


def thresholds(settings: Settings) -> Thresholds:
    """What the stack file says, and the defaults for the rest. Without a wait of their own, the two alerts about a
    rollout that stays unfinished wait a little longer than the slowest pool may take.
    """
    limits = _limits(settings)
    waits = {"node_isolated": limits.isolated, "reconfiguration_stuck": limits.pending}
    defaults, found = Thresholds(), {}
    for field in fields(Thresholds):
        setting, default = getattr(settings.monitoring.alerts, field.name), getattr(defaults, field.name)
        if field.name in waits:
            default = replace(default, wait=waits[field.name] + MARGIN_S)
        found[field.name] = setting and replace(default, **_chosen(setting.model_dump()))
    if settings.operator.allocation is AllocatedBy.DRA:
        found["slices_not_offered"] = None  # no kubelet offers slices
    return Thresholds(**found)


def alert_problems(settings: Settings) -> list[Finding]:
    """Why an alert cannot do its work with these settings, and what would work."""
    found = mistakes(thresholds(settings), _limits(settings))
    return [replace(finding, path=f"monitoring.alerts.{finding.path}") for finding in found]


def _chosen(values: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _limits(settings: Settings) -> Limits:
    """What the slowest pool takes; without pools, what one with the defaults takes."""
    paces = [pool.rollout for pool in settings.pools.values()] or [Rollout()]
    return Limits(
        pending=max(pace.wedged_after for pace in paces),
        isolated=max(_longest_isolation(pace) for pace in paces),
        soak=max(pace.soak for pace in paces),
        interval=settings.monitoring.scrape_interval,
    )


def _longest_isolation(pace: Rollout) -> int:
    """A node is isolated while its config is assigned and verified, and rolled back if that fails; each step has the
    same limit.
    """
    return (3 if pace.on_failure == "rollback" else 2) * pace.timeout + pace.soak

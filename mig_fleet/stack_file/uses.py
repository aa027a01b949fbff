"""What a stack does that needs rights which other stacks do not need."""

from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.observed.rights.grant import Use
from mig_fleet.stack_file.fleet import Fleet


def uses(fleet: Fleet) -> list[Use]:
    """Sorted, because they are an input of a resource."""
    settings, pools = fleet.settings, [pool.settings for pool in fleet.pools]
    decided = {
        Use.EVICTION: any(pool.rollout.on_user_pods == "evict" for pool in pools),
        Use.RECOVERY: any(pool.rollout.recovery for pool in pools),
        Use.OPERATOR: settings.operator.managed,
        Use.MODEL_LABELS: any(pool.selector is not None for pool in pools),
        Use.TAKE_OVER: settings.cluster.take_over is not None,
        Use.ALERT_RULES: settings.monitoring.rules == "prometheusRule",
        Use.DASHBOARDS: settings.monitoring.dashboards == "grafanaOperator",
        Use.SERVICE_MONITOR: settings.monitoring.service_monitor,
        Use.DRA: fleet.allocation is AllocatedBy.DRA,
        Use.CLAIM_TEMPLATES: bool(settings.operator.claim_templates),
    }
    return sorted(use for use, is_used in decided.items() if is_used)

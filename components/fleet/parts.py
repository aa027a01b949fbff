"""The components of a fleet that take many settings."""

from collections.abc import Mapping
from typing import Any

import pulumi

from mig_fleet.components.fleet.place import Place
from mig_fleet.components.gpu_operator import GpuOperator
from mig_fleet.components.layouts import MigLayouts
from mig_fleet.components.monitoring import Monitoring
from mig_fleet.components.monitoring.declared import Monitored
from mig_fleet.components.owner import ClusterOwner
from mig_fleet.components.pool import Pool
from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.stack_file.exporter import service_monitor
from mig_fleet.stack_file.fleet import Fleet, FleetPool


def monitoring_of(
    fleet: Fleet, place: Place, namespace: pulumi.Input[str], layouts: MigLayouts, opts: pulumi.ResourceOptions
) -> Monitoring:
    """Rules and dashboards; they know the configs that only nodes still have, and what the waves are called."""
    settings = fleet.settings.monitoring
    return Monitoring(
        place.name("monitoring"),
        {
            "namespace": namespace,
            "pools": {},
            "dashboards": settings.dashboards,
            "dashboard_labels": settings.dashboard_labels,
            "folder": settings.folder,
            "grafana_instances": settings.grafana_instances,
            "rules": settings.rules,
            "monitor_labels": settings.monitor_labels,
            "runbooks": settings.runbooks,
        },
        opts,
        monitored=Monitored.of_fleet(fleet, layouts.carried, place.prefix),
    )


def operator_of(
    fleet: Fleet,
    name: str,
    namespace: pulumi.Input[str],
    metrics: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> GpuOperator:
    """The operator's release, with the chart and the values of the settings."""
    chart, monitor = fleet.settings.operator, service_monitor(fleet.settings)
    return GpuOperator(
        name,
        {
            "namespace": namespace,
            "chart": chart.chart,
            "version": chart.version,
            "repository": chart.repository,
            "strategy": str(fleet.strategy),
            "allocation": fleet.allocation.value,
            "metrics": metrics,
            "monitor": {"interval_seconds": monitor.interval, "labels": monitor.labels} if monitor else None,
            "values": chart.values,
            "secret": "operator" in fleet.secrets,
            "timeout_seconds": chart.timeout,
        },
        opts,
    )


def pool_of(
    pool: FleetPool,
    fleet: Fleet,
    name: str,
    cluster: Mapping[str, Any],
    owner: ClusterOwner,
    opts: pulumi.ResourceOptions,
) -> Pool:
    """A pool, with the nodes that ``fleet`` knows."""
    rollout = pool.settings.rollout
    needs_cordon = not fleet.settings.operator.managed or fleet.allocation is AllocatedBy.DRA
    return Pool(
        name,
        {
            "cluster": cluster,  # type: ignore[typeddict-item]  # its keys are those of the providers
            "namespace": fleet.settings.operator.namespace,
            "reports_namespace": fleet.settings.probe.namespace,
            "gpu": pool.settings.gpu,
            "gpus_per_node": pool.settings.gpus_per_node,
            "nodes": list(pool.nodes),
            "declared_nodes": [node for each in fleet.pools for node in each.nodes],
            "layout": pool.layout,  # type: ignore[typeddict-item]  # a proven one stays as it is
            "config_name": pool.settings.config_name,
            "operator_managed": fleet.settings.operator.managed,
            "owner": owner.owner,
            "uid": owner.uid,
            "strategy": str(fleet.strategy),
            "allocation": fleet.allocation.value,
            "dra_namespace": fleet.settings.operator.dra_namespace,
            "price": fleet.prices.get(pool.layout.gpu),
            "rollout": {
                "max_unavailable": rollout.max_unavailable,
                "canary": rollout.canary,
                "soak_seconds": rollout.soak,
                "on_user_pods": rollout.on_user_pods,
                "on_stranded_pods": rollout.on_stranded_pods,
                "on_failure": rollout.on_failure,
                "recovery": rollout.recovery,
                "stuck_after_seconds": rollout.wedged_after,
                # The pods of an operator of others, and of the DRA driver, do not tolerate our taint.
                "isolation": "cordon" if needs_cordon else "taint",
                "on_delete": rollout.on_delete,
                "timeout_seconds": rollout.timeout,
            },
            "max_waves": rollout.max_waves_per_update,
            "verified_nodes": pool.ready,
        },
        opts,
    )

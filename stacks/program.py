"""The Pulumi program: from a fleet to its resources and outputs."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from mig_fleet.components.gpu_operator import GpuOperator
from mig_fleet.components.layouts import MigLayouts
from mig_fleet.components.monitoring import Monitoring, WatchedPool
from mig_fleet.components.node_labels import NodeLabels
from mig_fleet.components.pool import Pool
from mig_fleet.components.probe import MigProbe
from mig_fleet.model import parted
from mig_fleet.stack_file import summary
from mig_fleet.stack_file.fleet import Fleet, FleetPool
from mig_fleet.stack_file.membership import cluster_args


def deploy(fleet: Fleet) -> dict[str, Any]:
    """Register everything; returns the stack's outputs: small, sorted, and without times."""
    settings = fleet.settings
    provider = k8s.Provider(
        "cluster",
        kubeconfig=settings.cluster.kubeconfig,
        context=settings.cluster.context,
        # The dashboard and the alerts change in place; a replacement would remove them for a moment.
        enable_config_map_mutable=True,
    )
    on_cluster = pulumi.ResourceOptions(provider=provider)
    name: pulumi.Input[str] = settings.operator.namespace
    if settings.operator.managed:
        namespace = k8s.core.v1.Namespace(
            "operator-namespace",
            metadata={
                "name": settings.operator.namespace,
                "labels": {"pod-security.kubernetes.io/enforce": "privileged"},
            },
            opts=on_cluster,
        )
        name = namespace.metadata["name"]
    layouts = MigLayouts(
        "layouts",
        {
            "cluster": cluster_args(fleet),
            "namespace": name,
            "reports_namespace": settings.probe.namespace,
            "file": parted.dump(fleet.layouts.values()),
        },
        _at(provider),
    )
    monitoring = Monitoring(
        "monitoring",
        {
            "namespace": name,
            "pools": [_watched(pool) for pool in fleet.pools],
            "dashboard": settings.monitoring.dashboard,
            "rules": settings.monitoring.rules,
            "monitor_labels": settings.monitoring.monitor_labels,
        },
        _at(provider),
    )
    prerequisites: list[pulumi.Resource] = [layouts, monitoring]
    if settings.operator.managed:
        prerequisites = [_operator(fleet, name, monitoring, _at(provider, *prerequisites))]
    probe = MigProbe(
        "probe",
        {
            "namespace": settings.probe.namespace,
            "image": settings.probe.image,
            "runtime_class": settings.probe.runtime_class,
            "interval_seconds": settings.probe.interval,
            "timeout_seconds": settings.operator.timeout,
        },
        _at(provider, *prerequisites),
    )
    if fleet.serves_rules:
        chosen = [pool.settings.gpu for pool in fleet.pools if pool.settings.selector]
        NodeLabels("node-labels", chosen, _at(provider))
    pools = {pool.name: _pool(pool, fleet, _at(provider, layouts, *prerequisites, probe)) for pool in fleet.pools}
    return {
        "strategy": str(fleet.strategy),
        "configs": {pool.name: pool.layout.config_name for pool in fleet.pools},
        "capacity": summary.capacity(fleet),
        "cost": summary.cost(fleet),
        "slices": {pool_name: pool.slices for pool_name, pool in pools.items()},
    }


def _operator(
    fleet: Fleet, namespace: pulumi.Input[str], monitoring: Monitoring, opts: pulumi.ResourceOptions
) -> GpuOperator:
    chart = fleet.settings.operator
    return GpuOperator(
        "gpu-operator",
        {
            "namespace": namespace,
            "chart": chart.chart,
            "version": chart.version,
            "repository": chart.repository,
            "strategy": str(fleet.strategy),
            "metrics": monitoring.metrics_config_map.metadata["name"],
            "values": chart.values,
            "secret": "operator" in fleet.secrets,
            "timeout_seconds": chart.timeout,
        },
        opts,
    )


def _pool(pool: FleetPool, fleet: Fleet, opts: pulumi.ResourceOptions) -> Pool:
    rollout = pool.settings.rollout
    return Pool(
        pool.name,
        {
            "cluster": cluster_args(fleet),
            "namespace": fleet.settings.operator.namespace,
            "reports_namespace": fleet.settings.probe.namespace,
            "gpu": pool.settings.gpu,
            "gpus_per_node": pool.settings.gpus_per_node,
            "nodes": list(pool.nodes),
            "declared_nodes": [node for each in fleet.pools for node in each.nodes],
            "layout": pool.layout,
            "config_name": pool.settings.config_name,
            "operator_managed": fleet.settings.operator.managed,
            "strategy": fleet.strategy,
            "rollout": {
                "max_unavailable": rollout.max_unavailable,
                "canary": rollout.canary,
                "soak_seconds": rollout.soak,
                "on_user_pods": rollout.on_user_pods,
                "on_stranded_pods": rollout.on_stranded_pods,
                "on_failure": rollout.on_failure,
                "recovery": rollout.recovery,
                "stuck_after_seconds": rollout.wedged_after,
                "isolation": "taint" if fleet.settings.operator.managed else "cordon",
                "on_delete": rollout.on_delete,
                "timeout_seconds": rollout.timeout,
            },
            "max_waves": rollout.max_waves_per_update,
            "verified_nodes": pool.ready,
        },
        opts,
    )


def _watched(pool: FleetPool) -> WatchedPool:
    return WatchedPool(pool.name, tuple(sorted(pool.nodes)), summary.slices(pool))


def _at(provider: pulumi.ProviderResource, *after: pulumi.Resource) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(providers=[provider], depends_on=list(after))

"""The Pulumi program: from a fleet to its resources and outputs."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components.cluster import ClusterArgs
from components.gpu_operator import GpuOperator
from components.layouts import MigLayouts
from components.monitoring import Monitoring, WatchedPool
from components.pool import Pool
from components.probe import MigProbe
from mig import parted
from stacks import summary
from stacks.fleet import Fleet, FleetPool


def deploy(fleet: Fleet) -> dict[str, Any]:
    """Register everything; returns the stack's outputs, small, sorted and without clocks."""
    settings = fleet.settings
    provider = k8s.Provider(
        "cluster",
        kubeconfig=settings.cluster.kubeconfig,
        context=settings.cluster.context,
        # The dashboard and the alerts change in place; deleted and made anew, they would be gone for a moment.
        enable_config_map_mutable=True,
    )
    there = pulumi.ResourceOptions(provider=provider)
    namespace = k8s.core.v1.Namespace(
        "operator-namespace",
        metadata={
            "name": settings.operator.namespace,
            "labels": {"pod-security.kubernetes.io/enforce": "privileged"},
        },
        opts=there,
    )
    name = namespace.metadata["name"]
    layouts = MigLayouts(
        "layouts",
        {"cluster": _cluster(fleet), "namespace": name, "file": parted.dump(fleet.layouts.values())},
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
    operator = GpuOperator(
        "gpu-operator",
        {
            "namespace": name,
            "chart": settings.operator.chart,
            "version": settings.operator.version,
            "repository": settings.operator.repository,
            "strategy": str(fleet.strategy),
            "metrics": monitoring.metrics_config_map.metadata["name"],
            "values": settings.operator.values,
            "timeout_s": settings.operator.timeout,
        },
        _at(provider, layouts, monitoring),
    )
    probe = MigProbe(
        "probe",
        {
            "namespace": name,
            "image": settings.probe.image,
            "runtime_class": settings.probe.runtime_class,
            "interval_s": settings.probe.interval,
            "timeout_s": settings.operator.timeout,
        },
        _at(provider, operator),
    )
    pools = {pool.name: _pool(pool, fleet, _at(provider, layouts, operator, probe)) for pool in fleet.pools}
    return {
        "strategy": str(fleet.strategy),
        "configs": {pool.name: pool.layout.config_name for pool in fleet.pools},
        "capacity": summary.capacity(fleet),
        "cost": summary.cost(fleet),
        "realized": {pool_name: pool.realized for pool_name, pool in pools.items()},
    }


def _pool(pool: FleetPool, fleet: Fleet, opts: pulumi.ResourceOptions) -> Pool:
    return Pool(
        pool.name,
        {
            "cluster": _cluster(fleet),
            "namespace": fleet.settings.operator.namespace,
            "reports": fleet.settings.operator.namespace,
            "gpu": pool.settings.gpu,
            "gpus_per_node": pool.settings.gpus_per_node,
            "nodes": list(pool.nodes),
            "layout": pool.layout,
            "strategy": fleet.strategy,
            "on_delete": pool.settings.rollout.on_delete,
            "timeout_s": pool.settings.rollout.timeout,
        },
        opts,
    )


def _cluster(fleet: Fleet) -> ClusterArgs:
    where = fleet.settings.cluster
    args: ClusterArgs = {}
    if where.kubeconfig is not None:
        args["kubeconfig"] = where.kubeconfig
    if where.context is not None:
        args["context"] = where.context
    return args


def _watched(pool: FleetPool) -> WatchedPool:
    per_gpu = pool.layout.per_gpu(pool.settings.gpus_per_node)
    slices = sum(sum(profiles.values()) for profiles in per_gpu if profiles)
    return WatchedPool(pool.name, tuple(sorted(pool.nodes)), slices)


def _at(provider: pulumi.ProviderResource, *after: pulumi.Resource) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(providers=[provider], depends_on=list(after))

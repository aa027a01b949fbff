"""The Pulumi program: from a fleet to its resources and outputs."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from mig_fleet.cluster.client import FIELD_MANAGER
from mig_fleet.cluster.kubeconfig_path import kubeconfig_path
from mig_fleet.components.destroy_guard import DestroyGuard
from mig_fleet.components.existing import refuse_existing_objects
from mig_fleet.components.gpu_operator import GpuOperator
from mig_fleet.components.layouts import MigLayouts
from mig_fleet.components.monitoring import Monitoring
from mig_fleet.components.node_labels import NodeLabels
from mig_fleet.components.owner import ClusterOwner
from mig_fleet.components.pool import Pool, after_pools
from mig_fleet.components.probe import MigProbe
from mig_fleet.components.supporting_objects import RecordedObjects, SupportingObjects
from mig_fleet.model import parted
from mig_fleet.stack_file import summary
from mig_fleet.stack_file.exporter import generation, service_monitor
from mig_fleet.stack_file.fleet import Fleet, FleetPool
from mig_fleet.stack_file.membership import cluster_args
from mig_fleet.stack_file.monitored_fleet import monitored_fleet
from mig_fleet.stack_file.thresholds import thresholds
from mig_fleet.stack_file.uses import uses


def deploy(fleet: Fleet) -> dict[str, Any]:
    """Register everything; returns the stack's outputs: small, sorted, and without times.

    First the owner, so that nothing is written to another stack's cluster. The rules know what each node was verified
    with, so they change before the nodes do. The guard is last, so that a destroy begins with it.
    """
    settings = fleet.settings
    cluster, reports = cluster_args(fleet), settings.probe.namespace
    owner = ClusterOwner(
        "cluster-owner",
        {
            "cluster": cluster,
            "namespace": settings.operator.namespace,
            "reports_namespace": reports,
            "take_over": settings.cluster.take_over,
            "declared_uid": settings.cluster.uid,
            "uses": uses(fleet),
        },
    )
    hooks = refuse_existing_objects(cluster, settings.operator.namespace)
    provider = k8s.Provider(
        "cluster",
        kubeconfig=kubeconfig_path(settings.cluster.kubeconfig),
        context=settings.cluster.context,
        # Another address of the same cluster must not replace the provider: that would create every object again and
        # then delete it, because both have the same name.
        cluster_identifier="mig-fleet",
        # Dashboards and rules change in place; a replacement would remove them for a moment.
        enable_config_map_mutable=True,
        # Before anything is written, and after the owner: another stack's objects are not an unknown owner's.
        opts=pulumi.ResourceOptions(depends_on=[owner], hooks=hooks),
    )
    recorded = RecordedObjects()
    on_cluster = pulumi.ResourceOptions(provider=provider, depends_on=[owner], transformations=[recorded.record])
    name: pulumi.Input[str] = settings.operator.namespace
    if settings.operator.managed:
        namespace = k8s.core.v1.Namespace(
            "operator-namespace",
            metadata={
                "name": settings.operator.namespace,
                "labels": {
                    "app.kubernetes.io/managed-by": FIELD_MANAGER,
                    "pod-security.kubernetes.io/enforce": "privileged",
                },
            },
            opts=on_cluster,
        )
        name = namespace.metadata["name"]
    layouts = MigLayouts(
        "layouts",
        {
            "cluster": cluster,
            "namespace": name,
            "reports_namespace": reports,
            "file": parted.dump(fleet.layouts.values()),
            "operator_managed": settings.operator.managed,
            "owner": owner.owner,
            "uid": owner.uid,
            "take_over": settings.cluster.take_over,
            "declared_nodes": " ".join(sorted(node for pool in fleet.pools for node in pool.nodes)),
        },
        _at(provider, owner),
    )
    monitoring = _monitoring(fleet, name, layouts, _at(provider, owner, recorded=recorded))
    prerequisites: list[pulumi.Resource] = [layouts, monitoring]
    chart_objects: list[pulumi.Input[str]] = []
    if settings.operator.managed:
        metrics = monitoring.metrics_config_map.metadata["name"]
        operator = _operator(fleet, name, metrics, _at(provider, *prerequisites))
        prerequisites, chart_objects = [operator], operator.chart_objects
    probe = MigProbe(
        "probe",
        {
            "namespace": reports,
            "image": settings.probe.image,
            "runtime_class": settings.probe.runtime_class,
            "interval_seconds": settings.probe.interval,
            "pod_resources": settings.probe.pod_resources,
            "timeout_seconds": settings.operator.timeout,
        },
        _at(provider, *prerequisites, recorded=recorded),
    )
    watched: list[pulumi.Resource] = [*prerequisites, probe]
    if fleet.serves_rules:
        chosen = [pool.settings.gpu for pool in fleet.pools if pool.settings.selector]
        watched.append(NodeLabels("node-labels", chosen, _at(provider, owner, recorded=recorded)))
    # The waves come after it: an object that is missing is restored before a wave waits for a probe without rights.
    supporting = SupportingObjects(
        "supporting-objects",
        {
            "cluster": cluster,
            "namespace": settings.operator.namespace,
            "uid": owner.uid,
            "objects": recorded.manifests,
            "chart_objects": chart_objects,
        },
        pulumi.ResourceOptions(depends_on=watched),
    )
    before_pools = _at(provider, layouts, *watched, supporting)
    pools = {pool.name: _pool(pool, fleet, owner, before_pools) for pool in fleet.pools}
    DestroyGuard(
        "destroy-guard",
        {"cluster": cluster, "namespace": settings.operator.namespace, "owner": owner.owner, "uid": owner.uid},
        pulumi.ResourceOptions(depends_on=after_pools(pools.values(), layouts, *watched, supporting)),
    )
    return {
        "strategy": str(fleet.strategy),
        "configs": {pool.name: pool.layout.config_name for pool in fleet.pools},
        "capacity": summary.capacity(fleet),
        "cost": summary.cost(fleet),
        "slices": {pool_name: pool.slices for pool_name, pool in pools.items()},
    }


def _monitoring(
    fleet: Fleet, namespace: pulumi.Input[str], layouts: MigLayouts, opts: pulumi.ResourceOptions
) -> Monitoring:
    settings = fleet.settings.monitoring
    return Monitoring(
        "monitoring",
        {
            "namespace": namespace,
            "fleet": layouts.file.carried.apply(lambda carried: monitored_fleet(fleet, carried)),
            "generation": generation(fleet.settings),
            "dashboards": settings.dashboards,
            "dashboard_labels": settings.dashboard_labels,
            "folder": settings.folder,
            "grafana_instances": settings.grafana_instances,
            "rules": settings.rules,
            "monitor_labels": settings.monitor_labels,
            "thresholds": thresholds(fleet.settings),
            "runbooks": settings.runbooks,
        },
        opts,
    )


def _operator(
    fleet: Fleet, namespace: pulumi.Input[str], metrics: pulumi.Input[str], opts: pulumi.ResourceOptions
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
            "metrics": metrics,
            "monitor": service_monitor(fleet.settings),
            "values": chart.values,
            "secret": "operator" in fleet.secrets,
            "timeout_seconds": chart.timeout,
        },
        opts,
    )


def _pool(pool: FleetPool, fleet: Fleet, owner: ClusterOwner, opts: pulumi.ResourceOptions) -> Pool:
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
            "owner": owner.owner,
            "uid": owner.uid,
            "strategy": fleet.strategy,
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
                "isolation": "taint" if fleet.settings.operator.managed else "cordon",
                "on_delete": rollout.on_delete,
                "timeout_seconds": rollout.timeout,
            },
            "max_waves": rollout.max_waves_per_update,
            "verified_nodes": pool.ready,
        },
        opts,
    )


def _at(
    provider: pulumi.ProviderResource, *after: pulumi.Resource, recorded: RecordedObjects | None = None
) -> pulumi.ResourceOptions:
    transformations: list[Any] = [recorded.record] if recorded else []
    return pulumi.ResourceOptions(providers=[provider], depends_on=[provider, *after], transformations=transformations)

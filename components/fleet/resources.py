"""From a fleet to its resources and outputs, for the stack's program and for the Fleet component."""

from collections.abc import Mapping
from typing import Any, cast

import pulumi
import pulumi_kubernetes as k8s

from mig_fleet.cluster.client import FIELD_MANAGER
from mig_fleet.components.cluster_input import provider_connection
from mig_fleet.components.destroy_guard import DestroyGuard
from mig_fleet.components.device_classes import DeviceClasses
from mig_fleet.components.fleet.members import Members, then
from mig_fleet.components.fleet.parts import monitoring_of, operator_of, pool_of
from mig_fleet.components.fleet.place import OnCluster, Place
from mig_fleet.components.kubernetes_object import KubernetesObject
from mig_fleet.components.layout_args import NamedLayoutArgs
from mig_fleet.components.layouts import MigLayouts
from mig_fleet.components.node_labels import NodeLabels
from mig_fleet.components.owner import ClusterOwner
from mig_fleet.components.pool import Pool, after_pools
from mig_fleet.components.probe import MigProbe
from mig_fleet.components.supporting_objects import RecordedObjects, SupportingObjects
from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.stack_file import summary
from mig_fleet.stack_file.fleet import Fleet
from mig_fleet.stack_file.uses import uses


def register(
    members: Members, cluster: Mapping[str, Any], hooks: pulumi.ResourceHookBinding | None, place: Place
) -> dict[str, Any]:
    """Register everything; returns the outputs: small, sorted, and without times. ``hooks`` are those of the Kubernetes
    provider.

    First the owner, so that nothing is written to another stack's cluster. The rules know what each node was verified
    with, so they change before the nodes do. The guard is last, so that a destroy begins with it.
    """
    fleet = members.declared
    settings = fleet.settings
    is_dra = fleet.allocation is AllocatedBy.DRA
    reports, operator_namespace = settings.probe.namespace, settings.operator.namespace
    owner = ClusterOwner(
        place.name("cluster-owner"),
        {
            "cluster": cluster,  # type: ignore[typeddict-item]  # a program has outputs where the provider gets text
            "namespace": operator_namespace,
            "reports_namespace": reports,
            "take_over": settings.cluster.take_over,
            "declared_uid": settings.cluster.uid,
            "uses": uses(fleet),
            "dra_namespace": settings.operator.dra_namespace if is_dra else "",
        },
        place.after(),
    )
    provider = k8s.Provider(
        place.name("cluster"),
        **provider_connection(cluster),
        # Another address of the same cluster must not replace the provider: that would create every object again and
        # then delete it, because both have the same name.
        cluster_identifier="mig-fleet",
        # Dashboards and rules change in place; a replacement would remove them for a moment.
        enable_config_map_mutable=True,
        # Before anything is written, and after the owner: another stack's objects are not an unknown owner's.
        opts=place.after([owner], hooks=hooks),
    )
    on_cluster, recorded = OnCluster(place, provider), RecordedObjects()
    recording = on_cluster.recording(recorded)
    name: pulumi.Input[str] = operator_namespace
    if settings.operator.managed:
        namespace = _operator_namespace(operator_namespace, place, provider, owner, recorded)
        name = namespace.metadata["name"]
    layouts = MigLayouts(
        place.name("layouts"),
        {
            "cluster": cluster,  # type: ignore[typeddict-item]  # as above
            "namespace": name,
            "reports_namespace": reports,
            "layouts": cast(list[NamedLayoutArgs], list(fleet.layouts.values())),  # proven ones stay as they are
            "operator_managed": settings.operator.managed,
            "owner": owner.owner,
            "uid": owner.uid,
            "take_over": settings.cluster.take_over,
            "declared_nodes": members.then(_nodes),
        },
        on_cluster.after(owner),
    )
    monitoring = monitoring_of(fleet, place, name, layouts, recording.after(owner))
    prerequisites: list[pulumi.Resource] = [layouts, monitoring]
    chart_objects: list[pulumi.Input[str]] = []
    if settings.operator.managed:
        at = on_cluster.after(*prerequisites)
        operator = operator_of(fleet, place.name("gpu-operator"), name, monitoring.metrics, at)
        prerequisites, chart_objects = [operator], operator.chart_objects
    probe = MigProbe(
        place.name("probe"),
        {
            "namespace": reports,
            "image": settings.probe.image,
            "runtime_class": settings.probe.runtime_class,
            "interval_seconds": settings.probe.interval,
            "pod_resources": settings.probe.pod_resources,
            "mig_uuids": is_dra,
            "timeout_seconds": settings.operator.timeout,
        },
        recording.after(*prerequisites),
    )
    installed: list[pulumi.Resource] = [*prerequisites, probe]
    if is_dra:
        installed += [_device_classes(fleet, place.name("device-classes"), recording.after(owner))]
    labelled = members.register(lambda known: _node_labels(known, place.name("node-labels"), recording.after(owner)))
    watched = then(labelled, lambda found: [*installed, *found])
    # The waves come after it: an object that is missing is restored before a wave waits for a probe without rights.
    supporting = SupportingObjects(
        place.name("supporting-objects"),
        {
            "cluster": cluster,  # type: ignore[typeddict-item]  # as above
            "namespace": operator_namespace,
            "uid": owner.uid,
            "objects": then(labelled, lambda _: recorded.manifests),
            "chart_objects": chart_objects,
        },
        place.after(watched),
    )

    def pools_of(known: Fleet, labelled: list[NodeLabels]) -> dict[str, Pool]:
        after = on_cluster.after(layouts, *installed, *labelled, supporting)
        return {it.name: pool_of(it, known, place.name(it.name), cluster, owner, after) for it in known.pools}

    pools = members.register(lambda known: then(labelled, lambda found: pools_of(known, found)))
    DestroyGuard(
        place.name("destroy-guard"),
        {"cluster": cluster, "namespace": operator_namespace, "owner": owner.owner, "uid": owner.uid},  # type: ignore[typeddict-item]  # as above
        place.after(then(watched, lambda found: _after(pools, layouts, *found, supporting))),
    )
    return {
        "strategy": str(fleet.strategy),
        "configs": {pool.name: pool.layout.config_name for pool in fleet.pools},
        "capacity": members.then(summary.capacity),
        "cost": members.then(summary.cost),
        "slices": members.then(lambda _: then(pools, _slices)),
    }


def _operator_namespace(
    name: str, place: Place, provider: k8s.Provider, owner: ClusterOwner, recorded: RecordedObjects
) -> KubernetesObject:
    labels = {"app.kubernetes.io/managed-by": FIELD_MANAGER, "pod-security.kubernetes.io/enforce": "privileged"}
    opts = place.after([owner], provider=provider, transformations=[recorded.record])
    metadata = {"name": name, "labels": labels}
    return KubernetesObject(place.name("operator-namespace"), "v1", "Namespace", metadata, opts)


def _device_classes(fleet: Fleet, name: str, opts: pulumi.ResourceOptions) -> DeviceClasses:
    """The classes by which pods claim the slices of all layouts."""
    layouts = cast(list[NamedLayoutArgs], list(fleet.layouts.values()))  # proven ones stay as they are
    templates = list(fleet.settings.operator.claim_templates)
    return DeviceClasses(name, {"layouts": layouts, "claim_templates": templates}, opts)


def _node_labels(fleet: Fleet, name: str, opts: pulumi.ResourceOptions) -> list[NodeLabels]:
    """The rule that labels nodes with their GPU model, if the cluster has the kind."""
    chosen = [pool.settings.gpu for pool in fleet.pools if pool.settings.selector]
    return [NodeLabels(name, chosen, opts)] if fleet.serves_rules else []


def _after(pools: "Mapping[str, Pool] | pulumi.Output[Mapping[str, Pool]]", *others: pulumi.Resource) -> Any:
    return then(pools, lambda found: after_pools(found.values(), *others))


def _slices(pools: Mapping[str, Pool]) -> dict[str, pulumi.Output[dict[str, str]]]:
    return {name: pool.slices for name, pool in pools.items()}


def _nodes(fleet: Fleet) -> list[str]:
    return [node for pool in fleet.pools for node in pool.nodes]

"""What a user needs to preview, update and destroy a stack. The only list: roles, checks and documentation follow it.

The chart of the GPU Operator is not part of it: only NVIDIA's chart determines what its installation needs.

A user can give the probe only rights that the user has (Kubernetes, RBAC, privilege escalation prevention): `get` and
`watch` of nodes, and `create` and `patch` of ConfigMaps in the probes' namespace.
"""

from collections.abc import Collection
from typing import Final

from mig_fleet.model import labels
from mig_fleet.model.allocated_by import DRA_NAMESPACE
from mig_fleet.observed.rights.dra import grants_of_dra
from mig_fleet.observed.rights.grant import Grant, Step, Use

_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io"
_PROBE: Final = ("serviceaccounts", f"roles.{_RBAC}", f"rolebindings.{_RBAC}", "daemonsets.apps")
_PROBE_ROLES: Final = (f"clusterroles.{_RBAC}", f"clusterrolebindings.{_RBAC}")
_POLICIES: Final = (f"validatingadmissionpolicies.{_ADMISSION}", f"validatingadmissionpolicybindings.{_ADMISSION}")
_CLUSTER_POLICIES: Final = "clusterpolicies.nvidia.com"

_CHANGE: Final = ("watch", "create", "patch", "update", "delete")


def needed_grants(operator: str, reports: str, uses: Collection[str], dra: str = DRA_NAMESPACE) -> list[Grant]:
    """What a stack needs whose operator and whose probes are in these namespaces; ``uses`` are values of :class:`Use`.
    ``dra`` is the namespace of the DRA driver, which matters only if the stack uses it.

    No right is in it twice.
    """
    grants = [
        *_of_nodes(operator, reports),
        *_of_objects(_PROBE, reports, (labels.PROBE,), "the probe and its rights"),
        *_of_objects(_PROBE_ROLES, "", (labels.PROBE,), "the probe's rights"),
        *_of_objects(_POLICIES, "", (labels.OWN_REPORT_POLICY,), "a probe writes only the report of its own node"),
        *_of_namespaces(operator, reports, uses),
        *_of_operator(operator),
        *_of_objects(
            (f"nodefeaturerules.{labels.NODE_FEATURE_API.partition('/')[0]}",),
            "",
            (labels.MODEL_RULE,),
            "label the nodes with their GPU model",
            Use.MODEL_LABELS,
        ),
        *_of_objects(
            ("prometheusrules.monitoring.coreos.com",), operator, (labels.ALERT_RULES,), "alerts", Use.ALERT_RULES
        ),
        *_of_objects(
            ("grafanadashboards.grafana.integreatly.org",),
            operator,
            tuple(labels.DASHBOARDS.values()),
            "dashboards",
            Use.DASHBOARDS,
        ),
        *grants_of_dra(dra),
        *_optional(reports),
    ]
    return [grant for grant in grants if grant.use is None or grant.use in uses]


def _of_nodes(operator: str, reports: str) -> list[Grant]:
    read, write = Step.PREVIEW, Step.UPDATE
    maps, pods = ("configmaps",), ("pods",)
    file = "the layout file, and the files that MIG Manager reads"
    own = "the layout file, the list of metrics, dashboards, alerts"
    program = "the probe's program; a user can give the probe only rights that the user has"
    return [
        Grant(verbs=("get", "list"), resources=("nodes",), step=read, why="what the nodes show"),
        Grant(verbs=("patch",), resources=("nodes",), step=write, why="config, isolation, owner"),
        Grant(verbs=("watch",), resources=("nodes",), step=write, why="what changes in a wave; the probe's own right"),
        Grant(verbs=("list",), resources=pods, step=read, why="which pods have slices"),
        Grant(verbs=("list",), resources=(_CLUSTER_POLICIES,), step=read, why="which file MIG Manager reads"),
        Grant(verbs=("get", "list"), resources=maps, namespace=operator, step=read, why=file),
        Grant(verbs=_CHANGE, resources=maps, namespace=operator, step=write, why=own),
        Grant(verbs=("get", "list"), resources=maps, namespace=reports, step=read, why="the probes' reports"),
        Grant(verbs=_CHANGE, resources=maps, namespace=reports, step=write, why=program),
        Grant(
            verbs=("watch",), resources=pods, namespace=reports, step=write, why="whether the probe's pods are ready"
        ),
        Grant(
            verbs=("get", "create"),
            resources=("pods/exec",),
            namespace=operator,
            step=write,
            why="whether MIG Manager sees the layout file",
        ),
        Grant(
            verbs=("patch",),
            resources=pods,
            namespace=operator,
            step=write,
            why="let the kubelet update MIG Manager's layout file at once",
        ),
        Grant(
            verbs=("delete",),
            resources=pods,
            namespace=operator,
            step=write,
            why="restart MIG Manager or the device plugin of a node",
            use=Use.RECOVERY,
        ),
        Grant(
            verbs=("create",),
            resources=("pods/eviction",),
            step=write,
            why="evict users' pods from GPUs that change",
            use=Use.EVICTION,
        ),
    ]


def _of_objects(
    resources: tuple[str, ...], namespace: str, names: tuple[str, ...], why: str, use: Use | None = None
) -> list[Grant]:
    """Objects of ours that are compared in each preview, and created, restored and deleted.

    Pulumi lists and watches all objects of a kind to see that one is gone or ready; without the right it waits for ever
    (pulumi-kubernetes v4.25.0, provider/pkg/await/informers/factory.go, Subscribe). All rights but those to delete are
    only for stacks with ``use``: one from which it was removed deletes what its last update made.
    """

    def grant(step: Step, *verbs: str, names: tuple[str, ...] = (), use: Use | None = None) -> Grant:
        return Grant(verbs=verbs, resources=resources, namespace=namespace, names=names, step=step, why=why, use=use)

    if use is None:
        return [
            grant(Step.PREVIEW, "get", names=names),
            grant(Step.UPDATE, "list", "watch", "create"),
            grant(Step.UPDATE, "patch", "update", "delete", names=names),
        ]
    return [
        grant(Step.PREVIEW, "get", names=names),
        grant(Step.UPDATE, "create", use=use),
        grant(Step.UPDATE, "patch", "update", names=names, use=use),
        grant(Step.UPDATE, "list", "watch"),
        grant(Step.UPDATE, "delete", names=names),
    ]


def _of_namespaces(operator: str, reports: str, uses: Collection[str]) -> list[Grant]:
    names = (operator, reports) if Use.OPERATOR in uses else (reports,)
    return _of_objects(("namespaces",), "", names, "the namespaces that the stack creates")


def _of_operator(operator: str) -> list[Grant]:
    return [
        Grant(
            verbs=("get",),
            resources=("deployments.apps",),
            namespace=operator,
            names=("gpu-operator",),
            step=Step.PREVIEW,
            why="whether the operator is still installed",
            use=Use.OPERATOR,
        ),
        *(
            Grant(
                verbs=(verb,),
                resources=(_CLUSTER_POLICIES,),
                names=("cluster-policy",),
                step=step,
                why="what our chart values determine",
                use=Use.OPERATOR,
            )
            for verb, step in (("get", Step.PREVIEW), ("patch", Step.UPDATE))
        ),
    ]


def _optional(reports: str) -> list[Grant]:
    layout_files = (labels.LAYOUTS_CONFIG_MAP,)
    return [
        Grant(
            verbs=("get",),
            resources=("namespaces",),
            names=("kube-system",),
            step=Step.OPTIONAL,
            why="whether this is the cluster of the last update",
        ),
        Grant(
            verbs=("list",),
            resources=("configmaps",),
            names=layout_files,
            step=Step.OPTIONAL,
            why="whether another stack owns the cluster from another namespace",
        ),
        Grant(
            verbs=("patch",),
            resources=("configmaps",),
            names=layout_files,
            step=Step.OPTIONAL,
            why="record the new owner in the former owner's namespace",
            use=Use.TAKE_OVER,
        ),
        Grant(
            verbs=("get",),
            resources=("pods/log",),
            namespace=reports,
            step=Step.OPTIONAL,
            why="the last message of a probe that does not report",
        ),
        Grant(
            verbs=("create",),
            resources=("subjectaccessreviews.authorization.k8s.io",),
            step=Step.OPTIONAL,
            why="which right such a probe lacks",
        ),
        Grant(
            verbs=("list",),
            resources=("poddisruptionbudgets.policy",),
            step=Step.OPTIONAL,
            why="which PodDisruptionBudget refuses an eviction",
            use=Use.EVICTION,
        ),
    ]
